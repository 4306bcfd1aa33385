//! Random tables and random bytes.

use proptest::prelude::*;

use super::*;

/// A dialect of written tables.
#[derive(Debug, Clone)]
struct Written {
    separator: char,
    decimal: char,
    line_end: &'static str,
    /// Of its cells.
    quote: &'static str,
    space: &'static str,
    exponent: bool,
    /// Before and after the rows.
    mark: &'static str,
    last_line_end: &'static str,
}

impl Written {
    fn cell(&self, value: f32) -> String {
        let text = if self.exponent { format!("{value:e}") } else { value.to_string() };
        let text = text.replace('.', &self.decimal.to_string());
        let Self { quote, space, .. } = self;
        format!("{space}{quote}{text}{quote}{space}")
    }

    fn table(&self, rows: &[Vec<f32>]) -> String {
        let header: Vec<String> = (0..rows[0].len()).map(|i| format!("c{i}")).collect();
        let rows = rows.iter().map(|row| row.iter().map(|value| self.cell(*value)).collect());
        let lines: Vec<String> = std::iter::once(header)
            .chain(rows)
            .map(|cells| cells.join(&self.separator.to_string()))
            .collect();
        format!("{}{}{}", self.mark, lines.join(self.line_end), self.last_line_end)
    }
}

fn any_dialect() -> impl Strategy<Value = Written> {
    let separators = prop::sample::select(vec![(',', '.'), (';', '.'), (';', ','), ('\t', ',')]);
    let line_ends = prop::sample::select(vec!["\n", "\r\n", "\r"]);
    (separators, line_ends, any::<[bool; 5]>()).prop_map(
        |((separator, decimal), line_end, flags)| {
            let [has_quotes, has_spaces, exponent, has_mark, has_last] = flags;
            let text = |has: bool, text| if has { text } else { "" };
            Written {
                separator,
                decimal,
                line_end,
                quote: text(has_quotes, "\""),
                space: text(has_spaces, "  "),
                exponent,
                mark: text(has_mark, "\u{feff}"),
                last_line_end: text(has_last, line_end),
            }
        },
    )
}

fn any_rows() -> impl Strategy<Value = Vec<Vec<f32>>> {
    let value = any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |x| x.is_finite());
    // A single column does not show its separator.
    (2..6_usize).prop_flat_map(move |columns| {
        prop::collection::vec(prop::collection::vec(value.clone(), columns), 1..9)
    })
}

/// Pieces that tables are made of.
fn any_piece() -> impl Strategy<Value = String> {
    let pieces = [
        ",", ";", "\t", "\n", "\r\n", "\r", "\"", "\"\"", " ", "a", "y", "1", "0", "2.5", "3,5",
        "NA", "-", "1e39", "кот", "\u{feff}", "a,y\n", "1,2\n", "\0",
    ];
    prop::sample::select(pieces.map(str::to_owned).to_vec())
}

proptest! {
    #[test]
    fn numbers_keep_their_bits_in_every_dialect(dialect in any_dialect(), mut rows in any_rows()) {
        // A comma before three digits alone would be doubtful.
        rows[0][0] = 0.5;
        let content = dialect.table(&rows);
        let table = read_named("t.csv", content.as_bytes(), &TableOptions::default()).unwrap();
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&table.x), bits(&rows.concat()), "{}", content);
        prop_assert_eq!(table.rows, rows.len());
    }

    #[test]
    fn random_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_named("t.csv", &bytes, &options("a"));
    }

    #[test]
    fn random_pieces_are_read_or_refused(
        pieces in prop::collection::vec(any_piece(), 0..60),
        text in prop::sample::select(vec!["", "y", "y:class", "y:number", "a,y", "a,y:label", "y|a"]),
    ) {
        let content = format!("a,y\n{}", pieces.concat());
        for content in [&content[4..], &content] {
            let Ok(table) = read_named("t.csv", content.as_bytes(), &options(text)) else {
                continue;
            };
            prop_assert_eq!(table.x.len(), table.rows * table.inputs.len());
            prop_assert!(table.x.iter().all(|x| x.is_finite()));
            let of = match &table.target {
                None => table.rows,
                Some(TableTarget::Classes { of, .. }) => of.len(),
                Some(TableTarget::Numbers { names, values } | TableTarget::Labels { names, values }) => {
                    values.len() / names.len()
                }
            };
            prop_assert_eq!(of, table.rows);
        }
    }
}
