//! Places in the plane and what is made of them.

use wattle_postgres::{PgValue, value::Point};

use super::{Family, Outcome, each, float8, one};

/// A shape's text; none where the value is no shape.
pub(super) fn of(value: &PgValue) -> Option<Outcome> {
    use PgValue as V;
    Some(match value {
        V::Point(at) => one(Family::Point, place(at)),
        V::PointArray(all) => each(Family::Point, all, place),
        V::Box((a, b)) => one(Family::Box, places(&[*a, *b])),
        V::BoxArray(all) => each(Family::Box, all, |(a, b)| places(&[*a, *b])),
        V::Circle((center, radius)) => one(Family::Circle, circle(center, radius)),
        V::CircleArray(all) => each(Family::Circle, all, |(center, radius)| circle(center, radius)),
        V::Line((a, b)) => one(Family::Line, open(&[*a, *b])),
        V::LineArray(all) => each(Family::Line, all, |(a, b)| open(&[*a, *b])),
        V::Lseg((a, b)) => one(Family::Lseg, open(&[*a, *b])),
        V::LsegArray(all) => each(Family::Lseg, all, |(a, b)| open(&[*a, *b])),
        V::Path(points) => one(Family::Path, path(points)),
        V::PathArray(all) => each(Family::Path, all, |points| path(points)),
        V::Polygon(points) => one(Family::Polygon, closed(points)),
        V::PolygonArray(all) => each(Family::Polygon, all, |points| closed(points)),
        _ => return None,
    })
}

fn place((x, y): &Point) -> Result<String, String> {
    Ok(format!("({},{})", float8(x)?, float8(y)?))
}

fn places(points: &[Point]) -> Result<String, String> {
    Ok(points.iter().map(place).collect::<Result<Vec<_>, _>>()?.join(","))
}

fn circle(center: &Point, radius: &wattle_postgres::value::Hashable) -> Result<String, String> {
    Ok(format!("<{},{}>", place(center)?, float8(radius)?))
}

fn open(points: &[Point]) -> Result<String, String> {
    Ok(format!("[{}]", places(points)?))
}

fn closed(points: &[Point]) -> Result<String, String> {
    Ok(format!("({})", places(points)?))
}

/// A path whose last point is its first is a closed one; PostgreSQL does not repeat the point.
fn path(points: &[Point]) -> Result<String, String> {
    match points {
        [first, between @ .., last] if first == last => closed(&[&[*first], between].concat()),
        points => open(points),
    }
}
