// WINSVC_TYPE and WINSVC_ENUM: describe the members of a class and the values of an enumeration once.
//
//   struct item {
//     std::string name;
//     double price;
//     std::optional<double> tax;
//     std::vector<std::string> tags;
//   };
//   WINSVC_TYPE(item, (name, at_least(1)), (price, above(0)), tax, (tags, optional))
//
//   enum class state { draft, published };
//   WINSVC_ENUM(state, draft, published)
//
// Write them in the namespace of the type, after it. A member is a name, or a name with its rules in parentheses: the
// rules of settings/rule.hpp and `optional`, for a member that keeps its initial value if it is missing in the JSON. A
// std::optional may always be missing. There are at most 40 members; the type must be default-constructible.
//
// A function that the app writes could replace the macro, but it needs each name twice, as text and as a pointer. The
// macro expands to such a function: `winsvc_describe`, which calls its argument once per member.
#pragma once

#define WINSVC_TYPE(type, ...)                                                                            \
  template <class WinsvcFunction>                                                                         \
  void winsvc_describe(WinsvcFunction& winsvc_add, const type*) {                                         \
    using ::winsvc::above;                                                                                \
    using ::winsvc::at_least;                                                                             \
    using ::winsvc::at_most;                                                                              \
    using ::winsvc::below;                                                                                \
    using ::winsvc::between;                                                                              \
    using ::winsvc::matches;                                                                              \
    using ::winsvc::one_of;                                                                               \
    using ::winsvc::detail::api::optional;                                                                \
    using ::winsvc::satisfies;                                                                            \
    WINSVC_DETAIL_EACH(WINSVC_DETAIL_MEMBER, type, __VA_ARGS__)                                           \
  }                                                                                                       \
  [[maybe_unused]] inline ::winsvc::detail::api::type_text winsvc_type_name(const type*) { return {#type}; }    \
  template <class Json, class = ::winsvc::detail::api::enable_if_json<Json>>                              \
  void to_json(Json& json, const type& value) {                                                           \
    json = Json::parse(::winsvc::to_json_text(value));                                                    \
  }                                                                                                       \
  template <class Json, class = ::winsvc::detail::api::enable_if_json<Json>>                              \
  void from_json(const Json& json, type& value) {                                                         \
    value = ::winsvc::from_json_text<type>(json.dump());                                                  \
  }

#define WINSVC_ENUM(type, ...)                                                                            \
  [[maybe_unused]] inline const ::winsvc::detail::api::enum_table<type>& winsvc_enum_values(const type*) {      \
    static const ::winsvc::detail::api::enum_table<type> table{                                           \
        WINSVC_DETAIL_EACH(WINSVC_DETAIL_VALUE, type, __VA_ARGS__)};                                      \
    return table;                                                                                         \
  }

// The macros below are for these two only. They count to 40, because the preprocessor has no loop, and they do not use
// __VA_OPT__, which C++17 does not have. WINSVC_DETAIL_EXPAND is required by the traditional preprocessor of MSVC.

#define WINSVC_DETAIL_EXPAND(x) x
// (name, rule) and name become `name, rule` and `name`: without parentheses, WINSVC_DETAIL_OPEN stays unexpanded and is
// pasted to the name WINSVC_DETAIL_DROP_WINSVC_DETAIL_OPEN, which is empty.
#define WINSVC_DETAIL_OPEN(...) WINSVC_DETAIL_OPEN __VA_ARGS__
#define WINSVC_DETAIL_DROP_WINSVC_DETAIL_OPEN
#define WINSVC_DETAIL_PASTE(...) WINSVC_DETAIL_DROP_##__VA_ARGS__
#define WINSVC_DETAIL_CLOSE(...) WINSVC_DETAIL_PASTE(__VA_ARGS__)
#define WINSVC_DETAIL_MEMBER(type, member) WINSVC_DETAIL_VISIT(type, WINSVC_DETAIL_CLOSE(WINSVC_DETAIL_OPEN member))
#define WINSVC_DETAIL_VISIT(...) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_VISIT_1(__VA_ARGS__))
#define WINSVC_DETAIL_VISIT_1(type, ...) winsvc_add(#__VA_ARGS__, &type::__VA_ARGS__);
#define WINSVC_DETAIL_VALUE(type, value) {#value, type::value},
#define WINSVC_DETAIL_EACH(f, type, ...)                                                       \
  WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_PICK(__VA_ARGS__                                                     \
    , WINSVC_DETAIL_40, WINSVC_DETAIL_39, WINSVC_DETAIL_38, WINSVC_DETAIL_37, WINSVC_DETAIL_36, WINSVC_DETAIL_35 \
    , WINSVC_DETAIL_34, WINSVC_DETAIL_33, WINSVC_DETAIL_32, WINSVC_DETAIL_31, WINSVC_DETAIL_30, WINSVC_DETAIL_29 \
    , WINSVC_DETAIL_28, WINSVC_DETAIL_27, WINSVC_DETAIL_26, WINSVC_DETAIL_25, WINSVC_DETAIL_24, WINSVC_DETAIL_23 \
    , WINSVC_DETAIL_22, WINSVC_DETAIL_21, WINSVC_DETAIL_20, WINSVC_DETAIL_19, WINSVC_DETAIL_18, WINSVC_DETAIL_17 \
    , WINSVC_DETAIL_16, WINSVC_DETAIL_15, WINSVC_DETAIL_14, WINSVC_DETAIL_13, WINSVC_DETAIL_12, WINSVC_DETAIL_11 \
    , WINSVC_DETAIL_10, WINSVC_DETAIL_9, WINSVC_DETAIL_8, WINSVC_DETAIL_7, WINSVC_DETAIL_6, WINSVC_DETAIL_5 \
    , WINSVC_DETAIL_4, WINSVC_DETAIL_3, WINSVC_DETAIL_2, WINSVC_DETAIL_1, 0)(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_PICK(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16,         \
    a17, a18, a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, a33, a34, a35,        \
    a36, a37, a38, a39, a40, last, ...) last
#define WINSVC_DETAIL_1(f, type, x) f(type, x)
#define WINSVC_DETAIL_2(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_1(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_3(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_2(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_4(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_3(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_5(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_4(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_6(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_5(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_7(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_6(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_8(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_7(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_9(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_8(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_10(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_9(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_11(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_10(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_12(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_11(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_13(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_12(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_14(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_13(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_15(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_14(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_16(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_15(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_17(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_16(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_18(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_17(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_19(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_18(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_20(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_19(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_21(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_20(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_22(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_21(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_23(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_22(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_24(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_23(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_25(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_24(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_26(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_25(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_27(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_26(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_28(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_27(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_29(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_28(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_30(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_29(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_31(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_30(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_32(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_31(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_33(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_32(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_34(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_33(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_35(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_34(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_36(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_35(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_37(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_36(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_38(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_37(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_39(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_38(f, type, __VA_ARGS__))
#define WINSVC_DETAIL_40(f, type, x, ...) f(type, x) WINSVC_DETAIL_EXPAND(WINSVC_DETAIL_39(f, type, __VA_ARGS__))
