use uuid::Uuid;

use crate::db::Cursor;
use crate::error::Error;

/// Which part of a list is asked for. Lists are newest first, in the order of their rows' ids (UUIDs of version 7), which
/// never change: no row comes twice or is left out while new ones arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub limit: i64,
    /// As a [`Slice`] of the same list gave it out.
    pub cursor: Option<String>,
}

impl Window {
    pub const LIMIT_MAX: i64 = 200;
    pub const LIMIT_DEFAULT: i64 = 100;

    pub const fn first(limit: i64) -> Self {
        Self { limit, cursor: None }
    }
}

/// A part of a list, with the cursors of the parts before and after it where there are any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice<T> {
    pub items: Vec<T>,
    pub previous: Option<String>,
    pub next: Option<String>,
}

impl<T> Slice<T> {
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Slice<U> {
        Slice {
            items: self.items.into_iter().map(each).collect(),
            previous: self.previous,
            next: self.next,
        }
    }
}

/// Where a part begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// With the newest row.
    Newest,
    /// With the next older row after this one.
    Below(Uuid),
    /// The part that ends before this row.
    Above(Uuid),
}

impl Begin {
    pub fn of(window: &Window) -> Result<Self, Error> {
        let Some(cursor) = &window.cursor else {
            return Ok(Self::Newest);
        };
        let invalid = || Error::invalid("page_cursor", "is not a cursor that this list gave out");
        let [way, id] = Cursor::parse::<2>(cursor).map_err(|_| invalid())?;
        let id = Uuid::parse_str(&id).map_err(|_| invalid())?;
        match way.as_str() {
            "next" => Ok(Self::Below(id)),
            "prev" => Ok(Self::Above(id)),
            _ => Err(invalid()),
        }
    }

    /// One row more than the window shows is asked for; it says whether there are more. Rows above come oldest first.
    pub fn slice<T>(self, window: &Window, mut rows: Vec<T>, id_of: impl Fn(&T) -> Uuid) -> Slice<T> {
        let limit = usize::try_from(window.limit).unwrap_or(0);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let (before, after) = match self {
            Self::Newest => (false, has_more),
            Self::Below(_) => (true, has_more),
            Self::Above(_) => {
                rows.reverse();
                (has_more, true)
            }
        };
        let cursor = |way: &str, row: &T| Cursor::new([way.to_owned(), id_of(row).to_string()]).to_string();
        let previous = rows.first().filter(|_| before).map(|row| cursor("prev", row));
        let next = rows.last().filter(|_| after).map(|row| cursor("next", row));
        Slice {
            items: rows,
            previous,
            next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of so many rows, read as a query would.
    fn read(rows: u128, window: &Window) -> Slice<Uuid> {
        let begin = Begin::of(window).unwrap();
        let all: Vec<Uuid> = (1..=rows).rev().map(Uuid::from_u128).collect();
        let found: Vec<Uuid> = match begin {
            Begin::Newest => all,
            Begin::Below(id) => all.into_iter().filter(|row| *row < id).collect(),
            Begin::Above(id) => all.into_iter().rev().filter(|row| *row > id).collect(),
        };
        let limit = usize::try_from(window.limit).unwrap() + 1;
        begin.slice(window, found.into_iter().take(limit).collect(), |row| *row)
    }

    fn numbers(slice: &Slice<Uuid>) -> Vec<u128> {
        slice.items.iter().map(Uuid::as_u128).collect()
    }

    #[test]
    fn a_list_is_walked_to_its_end_and_back() {
        let at = |cursor: Option<String>| Window { limit: 2, cursor };

        let first = read(5, &at(None));
        let second = read(5, &at(first.next.clone()));
        let third = read(5, &at(second.next.clone()));

        assert_eq!((numbers(&first), first.previous), (vec![5, 4], None));
        assert_eq!(numbers(&second), [3, 2]);
        assert_eq!((numbers(&third), third.next), (vec![1], None));
        let back = read(5, &at(third.previous));
        assert_eq!(numbers(&back), [3, 2]);
        let begin = read(5, &at(back.previous));
        assert_eq!((numbers(&begin), begin.previous), (vec![5, 4], None));
        assert_eq!(numbers(&read(5, &at(begin.next))), [3, 2]);
    }

    #[test]
    fn rows_that_arrive_meanwhile_change_nothing_of_what_follows() {
        let first = read(5, &Window::first(2));
        let next = Window {
            limit: 2,
            cursor: first.next,
        };

        assert_eq!(numbers(&read(9, &next)), [3, 2]);
    }

    #[test]
    fn a_list_that_ends_with_a_full_part_says_so() {
        let only = read(2, &Window::first(2));

        assert_eq!((numbers(&only), only.previous, only.next), (vec![2, 1], None, None));
        let none = read(0, &Window::first(2));
        assert_eq!((none.items.len(), none.previous, none.next), (0, None, None));
    }

    #[test]
    fn a_cursor_that_no_list_gave_out_is_refused() {
        for cursor in ["", "%%%", &Cursor::new(["next".to_owned(), "7".to_owned()]).to_string()] {
            let window = Window {
                limit: 1,
                cursor: Some(cursor.to_owned()),
            };
            assert!(matches!(Begin::of(&window), Err(Error::Invalid(_))), "{cursor}");
        }
        let sideways = Cursor::new(["left".to_owned(), Uuid::nil().to_string()]).to_string();
        let window = Window {
            limit: 1,
            cursor: Some(sideways),
        };
        assert!(Begin::of(&window).is_err());
    }
}
