//! Answers for people: columns for lists, one field a line for a single thing.

use comfy_table::{ContentArrangement, Table as Grid, presets};
use serde::de::DeserializeOwned;

use crate::client::plain;

/// The part of an answer that is shown, and how.
pub(crate) trait Show: DeserializeOwned {
    fn table(&self) -> Table;

    /// What to do next, said beside the data.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// Rows of text, with or without a line of headings.
#[derive(Debug, Default)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    below: Option<Box<Self>>,
}

impl Table {
    pub(crate) fn columns(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            ..Self::default()
        }
    }

    pub(crate) fn fields() -> Self {
        Self::default()
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Adds a field, unless there is nothing to say.
    pub(crate) fn field(&mut self, name: &str, value: impl Cell) {
        let value = value.cell();
        if !value.is_empty() {
            self.rows.push(vec![name.to_owned(), value]);
        }
    }

    /// Puts another table under this one, unless that has no rows.
    pub(crate) fn below(mut self, other: Self) -> Self {
        self.below = (!other.rows.is_empty()).then(|| Box::new(other));
        self
    }

    /// A row is a line, however narrow the terminal: ids are there to be copied.
    pub(crate) fn render(&self) -> String {
        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .force_no_tty();
        if !self.headings.is_empty() {
            grid.set_header(&self.headings);
        }
        for row in &self.rows {
            grid.add_row(row.iter().map(|cell| plain(cell).into_owned()));
        }
        for column in grid.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let text = grid.trim_fmt();
        match &self.below {
            Some(below) => format!("{text}\n\n{}", below.render()),
            None => text,
        }
    }
}

/// A value as a person reads it; nothing is the empty text.
pub(crate) trait Cell {
    fn cell(&self) -> String;
}

impl Cell for str {
    fn cell(&self) -> String {
        self.to_owned()
    }
}

impl Cell for String {
    fn cell(&self) -> String {
        self.clone()
    }
}

impl Cell for bool {
    fn cell(&self) -> String {
        if *self { "yes" } else { "no" }.to_owned()
    }
}

macro_rules! number_cells {
    ($($number:ty),+) => {
        $(impl Cell for $number {
            fn cell(&self) -> String {
                self.to_string()
            }
        })+
    };
}
number_cells!(u16, u32, u64, i64);

impl<T: Cell> Cell for Option<T> {
    fn cell(&self) -> String {
        self.as_ref().map(Cell::cell).unwrap_or_default()
    }
}

impl<T: Cell + ?Sized> Cell for &T {
    fn cell(&self) -> String {
        (**self).cell()
    }
}

impl Cell for serde_json::Value {
    fn cell(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}
