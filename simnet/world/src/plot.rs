//! Plots as SVG: bars over steps of time, one or two parts in each. Written by hand, in whole numbers, so that the same numbers
//! give the same bytes.

use std::fmt::Write as _;

/// A plot of bars.
pub(crate) struct Plot<'a> {
    pub(crate) title: &'a str,
    /// What the numbers are of.
    pub(crate) about: String,
    pub(crate) x: String,
    pub(crate) y: &'a str,
    /// What stands below the left edge of each bar; one more than bars, if the last one has an end.
    pub(crate) edges: Vec<String>,
    pub(crate) bars: Vec<Vec<u64>>,
    /// What the parts of a bar are, the lowest first; none if there is one.
    pub(crate) parts: &'a [&'a str],
}

const WIDTH: u64 = 840;
const HEIGHT: u64 = 340;
/// Room around the bars.
const LEFT: u64 = 72;
const RIGHT: u64 = 24;
const TOP: u64 = 66;
const BOTTOM: u64 = 58;
/// Of the parts of a bar.
const COLOURS: [&str; 2] = ["#2f6f8f", "#e0a458"];

impl Plot<'_> {
    /// The plot as SVG.
    pub(crate) fn svg(&self) -> String {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#333\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
        );
        let middle = LEFT + (WIDTH - LEFT - RIGHT) / 2;
        text(&mut svg, (LEFT, 24), "font-size=\"16\" font-weight=\"600\"", self.title);
        text(&mut svg, (LEFT, 44), "fill=\"#666\"", &self.about);
        text(&mut svg, (middle, HEIGHT - 14), "text-anchor=\"middle\"", &self.x);
        let centre = TOP + (HEIGHT - TOP - BOTTOM) / 2;
        let turned = format!("text-anchor=\"middle\" transform=\"rotate(-90 18 {centre})\"");
        text(&mut svg, (18, centre), &turned, self.y);
        self.legend(&mut svg);
        let (step, steps) = scale(self.bars.iter().map(|parts| parts.iter().sum()).max().unwrap_or(0));
        grid(&mut svg, step, steps);
        self.draw(&mut svg, step * steps);
        svg.push_str("</svg>\n");
        svg
    }

    fn legend(&self, svg: &mut String) {
        for ((part, colour), at) in self.parts.iter().zip(COLOURS).zip(0..) {
            let x = WIDTH - RIGHT - 120 * (self.parts.len() as u64 - at);
            line(
                svg,
                format_args!("<rect x=\"{x}\" y=\"14\" width=\"12\" height=\"12\" fill=\"{colour}\"/>"),
            );
            text(svg, (x + 18, 24), "", part);
        }
    }

    fn draw(&self, svg: &mut String, top: u64) {
        let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
        let count = (self.bars.len() as u64).max(1);
        let edge = |at: u64| LEFT + width * at / count;
        for (at, parts) in (0..).zip(&self.bars) {
            let (mut base, wide) = (TOP + height, edge(at + 1) - edge(at));
            for (part, colour) in parts.iter().zip(COLOURS) {
                // What there is is seen, however little it is.
                let high = (height * part / top.max(1)).max(u64::from(*part > 0));
                base -= high.min(base);
                let x = edge(at) + wide / 10;
                let width = wide - wide / 5;
                line(
                    svg,
                    format_args!(
                        "<rect x=\"{x}\" y=\"{base}\" width=\"{width}\" height=\"{high}\" fill=\"{colour}\"/>"
                    ),
                );
            }
        }
        for (at, label) in (0..).zip(&self.edges) {
            text(svg, (edge(at), TOP + height + 18), "text-anchor=\"middle\" font-size=\"11\"", label);
        }
    }
}

/// The distance of the lines across, and how many there are: so that they reach the highest bar.
fn scale(highest: u64) -> (u64, u64) {
    let mut step = 1;
    for factor in [2, 5, 10].iter().cycle() {
        if step * 5 >= highest {
            break;
        }
        // 1, 2, 5, 10, 20, 50 and so on.
        let power = 10_u64.pow(step.ilog10());
        step = power * factor;
    }
    (step, highest.div_ceil(step).max(1))
}

fn grid(svg: &mut String, step: u64, steps: u64) {
    let height = HEIGHT - TOP - BOTTOM;
    for at in 0..=steps {
        let y = TOP + height - height * at / steps;
        let (end, colour) = (WIDTH - RIGHT, if at == 0 { "#333" } else { "#ddd" });
        line(
            svg,
            format_args!("<line x1=\"{LEFT}\" y1=\"{y}\" x2=\"{end}\" y2=\"{y}\" stroke=\"{colour}\"/>"),
        );
        text(svg, (LEFT - 8, y + 4), "text-anchor=\"end\" font-size=\"11\"", &short(at * step));
    }
}

/// A number in a few characters.
fn short(number: u64) -> String {
    let tenths = |unit: u64| match (number / unit, number % unit * 10 / unit) {
        (whole, 0) => whole.to_string(),
        (whole, tenth) => format!("{whole}.{tenth}"),
    };
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{} k", tenths(1_000)),
        1_000_000..1_000_000_000 => format!("{} M", tenths(1_000_000)),
        _ => format!("{} G", tenths(1_000_000_000)),
    }
}

fn text(svg: &mut String, (x, y): (u64, u64), how: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    line(svg, format_args!("<text x=\"{x}\" y=\"{y}\" {how}>{text}</text>"));
}

fn line(svg: &mut String, what: std::fmt::Arguments<'_>) {
    // A String takes everything.
    let _never = writeln!(svg, "{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_across_are_round_and_reach_the_highest_bar() {
        assert_eq!([0, 1, 5, 6, 37, 1_234].map(scale), [(1, 1), (1, 1), (1, 5), (2, 3), (10, 4), (500, 3)]);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([7, 1_500, 2_000_000, 3_210_000_000].map(short), ["7", "1.5 k", "2 M", "3.2 G"]);
    }

    #[test]
    fn every_bar_and_every_label_is_in_the_plot() {
        let edges = ["0", "1 s", "2 s"].map(str::to_owned).to_vec();
        let (bars, parts) = (vec![vec![1, 2], vec![0, 4]], &["in", "out"][..]);
        let plot = Plot {
            title: "a < b",
            about: "x".to_owned(),
            x: "time".to_owned(),
            y: "calls",
            edges,
            bars,
            parts,
        };
        let svg = plot.svg();
        assert_eq!(svg.matches("<rect").count(), 1 + 2 + 4);
        assert!(
            svg.contains("a &lt; b") && svg.contains(">2 s</text>") && svg.contains(">out</text>"),
            "{svg}"
        );
    }
}
