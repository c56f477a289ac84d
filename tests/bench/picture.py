"""A picture of numbers: horizontal bars as SVG, readable on a dark page and on a light one."""

import statistics
from xml.sax.saxutils import escape

COLOURS = {"limit": "#8a8f98", "ours": "#2f81f7", "canonical": "#79b8ff", "bare": "#d29922"}
OTHER = "#a371f7"


def bars(title, rows):
    """`rows`: (group, name, values). A bar is the median; the line across its end runs from the least to the most."""
    left, width, step, top = 170, 430, 22, 44
    most = max(max(values) for _, _, values in rows)
    scale = width / most
    out, y, group_before = [], top, None
    for group, name, values in rows:
        if group != group_before:
            y += 12 if group_before else 0
            out.append(f'<text x="10" y="{y + 14}" font-weight="600">{escape(group)}</text>')
            group_before = group
        median = statistics.median(values)
        end = left + median * scale
        out.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        out.append(f'<rect x="{left}" y="{y + 3}" width="{median * scale:.1f}" height="14" rx="2" '
                   f'fill="{COLOURS.get(name, OTHER)}"/>')
        out.append(f'<line x1="{left + min(values) * scale:.1f}" x2="{left + max(values) * scale:.1f}" y1="{y + 10}" '
                   f'y2="{y + 10}" stroke="#6e7681" stroke-width="1.5"/>')
        out.append(f'<text x="{max(end, left + max(values) * scale) + 6:.1f}" y="{y + 14}">{median:.1f}</text>')
        y += step
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 {y + 12}" role="img" aria-label="{escape(title)}" '
            'font-family="system-ui, sans-serif" font-size="12">\n'
            "<style>text { fill: #57606a } @media (prefers-color-scheme: dark) { text { fill: #b1bac4 } }</style>\n"
            f'<text x="10" y="22" font-size="14" font-weight="600">{escape(title)}</text>\n' + "\n".join(out) + "\n</svg>\n")
