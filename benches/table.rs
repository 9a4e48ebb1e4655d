//! The tables, in Markdown so that they can be kept as they are.

use std::fmt::{self, Display, Formatter};

use crate::measured::Measured;

/// A target of the design (§9) and whether this run meets it.
#[derive(Debug, Clone)]
pub(crate) struct Goal {
    target: String,
    found: String,
    met: bool,
}

impl Goal {
    pub(crate) fn at_most(
        target: impl Into<String>,
        value: f64,
        limit: f64,
        found: String,
    ) -> Self {
        Self {
            target: target.into(),
            found,
            met: value <= limit,
        }
    }

    pub(crate) fn at_least(
        target: impl Into<String>,
        value: f64,
        limit: f64,
        found: String,
    ) -> Self {
        Self {
            target: target.into(),
            found,
            met: value >= limit,
        }
    }
}

/// A row of the first table: something done over and over.
#[derive(Debug)]
pub(crate) struct Load {
    name: String,
    measured: Measured,
    goals: Vec<Goal>,
}

impl Load {
    pub(crate) fn new(name: impl Into<String>, measured: Measured) -> Self {
        Self {
            name: name.into(),
            measured,
            goals: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, goal: Goal) -> Self {
        self.goals.push(goal);
        self
    }
}

/// A row of the second table: something that is what it is.
#[derive(Debug)]
pub(crate) struct Standing {
    pub name: String,
    pub value: String,
    pub goal: Option<Goal>,
}

impl Standing {
    pub(crate) fn new(name: impl Into<String>, value: String) -> Self {
        Self {
            name: name.into(),
            value,
            goal: None,
        }
    }

    pub(crate) fn with(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }
}

/// Everything that was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub loads: Vec<Load>,
    pub standing: Vec<Standing>,
    pub notes: Vec<String>,
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.loads.is_empty() {
            writeln!(f, "{}", self.loads())?;
        }
        if !self.standing.is_empty() {
            writeln!(f, "{}", self.standing())?;
        }
        for row in &self.loads {
            let (errors, first) = (row.measured.errors, &row.measured.first_error);
            if let Some(first) = first {
                writeln!(f, "- {}: {errors} errors, the first: {first}", row.name)?;
            }
        }
        for note in &self.notes {
            writeln!(f, "- {note}")?;
        }
        Ok(())
    }
}

impl Report {
    fn loads(&self) -> Table {
        let mut table = Table::new([
            ("what", Align::Left),
            ("per second", Align::Right),
            ("p50 ms", Align::Right),
            ("p99 ms", Align::Right),
            ("CPU ms each", Align::Right),
            ("client's", Align::Right),
            ("cores elsewhere", Align::Right),
            ("errors", Align::Right),
            ("target", Align::Left),
            ("met", Align::Left),
        ]);
        for Load {
            name,
            measured: it,
            goals,
        } in &self.loads
        {
            table.add([
                name.clone(),
                thousands(it.rate),
                format!("{:.2}", it.p50_ms),
                format!("{:.2}", it.p99_ms),
                format!("{:.4}", it.cpu_ms),
                it.client_ms
                    .map_or_else(|| "-".to_owned(), |ms| format!("{ms:.4}")),
                format!("{:.2}", it.elsewhere),
                it.errors.to_string(),
                join(goals, |goal| goal.target.clone()),
                join(goals, verdict),
            ]);
        }
        table
    }

    fn standing(&self) -> Table {
        let mut table = Table::new([
            ("what", Align::Left),
            ("found", Align::Right),
            ("target", Align::Left),
            ("met", Align::Left),
        ]);
        for row in &self.standing {
            let goals = row.goal.as_slice();
            table.add([
                row.name.clone(),
                row.value.clone(),
                join(goals, |goal| goal.target.clone()),
                join(goals, verdict),
            ]);
        }
        table
    }
}

fn verdict(goal: &Goal) -> String {
    let word = if goal.met { "yes" } else { "NO" };
    format!("{word} ({})", goal.found)
}

fn join(goals: &[Goal], show: impl Fn(&Goal) -> String) -> String {
    if goals.is_empty() {
        return "-".to_owned();
    }
    goals.iter().map(show).collect::<Vec<_>>().join("; ")
}

/// A whole number with its thousands set apart.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[derive(Debug, Clone, Copy)]
enum Align {
    Left,
    Right,
}

/// Rows of as many cells as there are columns.
struct Table {
    align: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new<const N: usize>(columns: [(&str, Align); N]) -> Self {
        Self {
            align: columns.iter().map(|(_, align)| *align).collect(),
            rows: vec![columns.iter().map(|(name, _)| (*name).to_owned()).collect()],
        }
    }

    fn add<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = (0..self.align.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for (index, row) in self.rows.iter().enumerate() {
            for ((cell, align), width) in row.iter().zip(&self.align).zip(&widths) {
                match align {
                    Align::Left => write!(f, "| {cell:<width$} ")?,
                    Align::Right => write!(f, "| {cell:>width$} ")?,
                }
            }
            writeln!(f, "|")?;
            if index == 0 {
                for (align, width) in self.align.iter().zip(&widths) {
                    let line = "-".repeat(width + 1);
                    match align {
                        Align::Left => write!(f, "|{line}-")?,
                        Align::Right => write!(f, "|{line}:")?,
                    }
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}
