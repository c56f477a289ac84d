"""Draws a horizontal bar chart as SVG, for light and dark pages."""

import statistics
from xml.sax.saxutils import escape

COLORS = {"limit": "#8a8f98", "ours": "#2f81f7", "bare": "#d29922"}
OTHER_COLOR = "#a371f7"


def bar_chart(title, rows):
    """Returns the chart for [(group, name, values)]. A bar ends at the median; a line shows minimum and maximum."""
    left, width, row_height, top = 170, 430, 22, 44
    maximum = max(max(values) for _, _, values in rows)
    scale = width / maximum
    elements, y, previous_group = [], top, None
    for group, name, values in rows:
        if group != previous_group:
            y += 12 if previous_group else 0
            elements.append(f'<text x="10" y="{y + 14}" font-weight="600">{escape(group)}</text>')
            previous_group = group
        median = statistics.median(values)
        low, high = left + min(values) * scale, left + max(values) * scale
        elements += [
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{left}" y="{y + 3}" width="{median * scale:.1f}" height="14" rx="2" '
            f'fill="{COLORS.get(name, OTHER_COLOR)}"/>',
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y + 10}" y2="{y + 10}" stroke="#6e7681" stroke-width="1.5"/>',
            f'<text x="{high + 6:.1f}" y="{y + 14}">{median:.1f}</text>']
        y += row_height
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 {y + 12}" role="img" '
            f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12">')
    style = "<style>text { fill: #57606a } @media (prefers-color-scheme: dark) { text { fill: #b1bac4 } }</style>"
    heading = f'<text x="10" y="22" font-size="14" font-weight="600">{escape(title)}</text>'
    return "\n".join([head, style, heading, *elements, "</svg>"]) + "\n"
