//! Places in the plane and what is made of them.

use wattle_postgres::{
    float::from_f64,
    value::{Hashable, Point},
};

use super::{Fault, reader::Reader};

pub(super) fn point(raw: &[u8]) -> Result<Point, Fault> {
    Reader::all(raw, place)
}

pub(super) fn two_points(raw: &[u8]) -> Result<(Point, Point), Fault> {
    Reader::all(raw, |reader| Ok((place(reader)?, place(reader)?)))
}

pub(super) fn circle(raw: &[u8]) -> Result<(Point, Hashable), Fault> {
    Reader::all(raw, |reader| Ok((place(reader)?, from_f64(reader.f64()?))))
}

/// A line is kept as `Ax + By + C = 0`. It is told by its points at x = 0 and x = 1, or at y = 0 and y = 1 where it is vertical.
pub(super) fn line(raw: &[u8]) -> Result<(Point, Point), Fault> {
    let (a, b, c) = Reader::all(raw, |reader| Ok((reader.f64()?, reader.f64()?, reader.f64()?)))?;
    let at = |x: f64, y: f64| (from_f64(x + 0.0), from_f64(y + 0.0)); // never a negative zero
    Ok(if b == 0.0 {
        (at(-c / a, 0.0), at(-c / a, 1.0))
    } else {
        (at(0.0, -c / b), at(1.0, -(a + c) / b))
    })
}

/// A closed path repeats its first point at the end, so that it can be told from an open one.
pub(super) fn path(raw: &[u8]) -> Result<Vec<Point>, Fault> {
    let mut reader = Reader::new(raw);
    let is_closed = reader.u8()? != 0;
    let mut points = places(&mut reader)?;
    if is_closed && let Some(first) = points.first().copied() {
        points.push(first);
    }
    reader.end(points)
}

pub(super) fn polygon(raw: &[u8]) -> Result<Vec<Point>, Fault> {
    Reader::all(raw, places)
}

fn place(reader: &mut Reader<'_>) -> Result<Point, Fault> {
    Ok((from_f64(reader.f64()?), from_f64(reader.f64()?)))
}

fn places(reader: &mut Reader<'_>) -> Result<Vec<Point>, Fault> {
    let len = reader.i32()?;
    (0..len).map(|_| place(reader)).collect()
}
