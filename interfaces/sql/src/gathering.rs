//! A result while its rows come in, which ends where it is past its limits.

use crate::{
    Allowance, Error,
    limit::COLUMNS_MAX,
    wire::{Row, Rows, Value},
};

/// Rows so far. A provider gathers them in this, so that all count alike.
#[derive(Debug)]
pub struct Gathering {
    rows: Rows,
    len: usize,
    allowance: Allowance,
}

/// Bytes of one list's or text's length on the wire.
const LENGTH: usize = 5;

impl Gathering {
    /// Begins a result with these columns.
    pub fn new(columns: Vec<String>, allowance: Allowance) -> Result<Self, Error> {
        if columns.len() > COLUMNS_MAX {
            let text = format!("result of {} columns, the limit is {COLUMNS_MAX}", columns.len());
            return Err(Error::TooLarge(text));
        }
        let len = columns.iter().map(|name| LENGTH + name.len()).sum();
        let gathering = Self { rows: Rows { columns, rows: Vec::new() }, len, allowance };
        gathering.check_len(0)?;
        Ok(gathering)
    }

    /// Takes the next row.
    pub fn push(&mut self, values: Vec<Value>) -> Result<(), Error> {
        let Allowance { rows_max, .. } = self.allowance;
        if self.rows.rows.len() == rows_max {
            let text = format!("result of more than {rows_max} rows: ask page by page (LIMIT)");
            return Err(Error::TooLarge(text));
        }
        let len = LENGTH + values.iter().map(Value::encoded_len_max).sum::<usize>();
        self.check_len(len)?;
        self.len += len;
        self.rows.rows.push(Row(values));
        Ok(())
    }

    /// Whether so many bytes more would fit. A provider asks before it copies a large value.
    pub fn check_len(&self, more: usize) -> Result<(), Error> {
        let max = self.allowance.result_len_max;
        if self.len.saturating_add(more) > max {
            let text = format!("result of more than {max} bytes: ask for less (LIMIT, substr)");
            return Err(Error::TooLarge(text));
        }
        Ok(())
    }

    /// All of it.
    pub fn finish(self) -> Rows {
        self.rows
    }
}
