//! Rows of text in columns, as wide as they appear on a screen.

use unicode_width::UnicodeWidthStr;

/// The rows as lines, with two spaces between columns and none at the end.
pub(crate) fn table<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> Vec<String> {
    let rows: Vec<[String; N]> = rows.into_iter().collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let line = |row: &[String; N]| {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line += cell;
            line.extend(std::iter::repeat_n(' ', width - cell.width() + 2));
        }
        line.truncate(line.trim_end().len());
        line
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_look() {
        let rows = [["你好", "a", "1"], ["bob", "bcd", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(rows), ["你好  a    1", "bob   bcd"]);
    }
}
