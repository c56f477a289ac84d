// A client of examples/items.cpp. Its types come from the OpenAPI document of the running example.
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const client = createClient<paths>({ baseUrl: process.argv[2]! });

const created = await client.POST("/items", { body: { name: "scone", price: 1.5 } });
if (created.data === undefined) throw new Error(`no item: ${created.response.status}`);
const id: number = created.data.id;

const found = await client.GET("/items", { params: { query: { q: "sco", sort: "price", limit: 5 } } });
const names: string[] = (found.data ?? []).map((item) => item.name);

const one = await client.GET("/items/{id}", { params: { path: { id } } });
const refused = await client.POST("/items", { body: { name: "", price: -1 } });
console.log(JSON.stringify({ names, price: one.data?.price, refused: refused.response.status }));

// @ts-expect-error: the price is required
void (() => client.POST("/items", { body: { name: "scone" } }));
// @ts-expect-error: there is no such order
void (() => client.GET("/items", { params: { query: { sort: "color" } } }));
