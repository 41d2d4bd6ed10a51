use uuid::Uuid;

use crate::db::Cursor;
use crate::error::Error;
use crate::types::Timestamp;

/// Which part of a list is asked for. Lists are newest first, in the order of their rows' ids (UUIDs of version 7) or of a
/// time that never changes: no row comes twice or is left out while new ones arrive. What changed since a time is in the
/// order of the changes: a row that changes again meanwhile is at the list's begin then, where who asks next finds it.
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

/// The lists: a cursor of one says nothing in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    Collections,
    Requests,
    Tokens,
    TokensChanged,
    Owners,
    OwnersChanged,
    Stacks,
    StacksChanged,
    Activities,
}

impl List {
    const fn text(self) -> &'static str {
        match self {
            Self::Collections => "collections",
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::TokensChanged => "tokens-changed",
            Self::Owners => "owners",
            Self::OwnersChanged => "owners-changed",
            Self::Stacks => "stacks",
            Self::StacksChanged => "stacks-changed",
            Self::Activities => "activities",
        }
    }
}

/// What the rows of a list are sorted by.
pub(super) trait Mark: Copy {
    fn to_text(self) -> String;

    fn parse(text: &str) -> Option<Self>;
}

impl Mark for Uuid {
    fn to_text(self) -> String {
        self.to_string()
    }

    fn parse(text: &str) -> Option<Self> {
        Self::parse_str(text).ok()
    }
}

/// A time of the row; of several at once, the id.
impl Mark for (Timestamp, Uuid) {
    fn to_text(self) -> String {
        format!("{} {}", self.0.micros(), self.1)
    }

    fn parse(text: &str) -> Option<Self> {
        let (micros, id) = text.split_once(' ')?;
        // What no row has: later than the year 9999, which SQLite's texts do not reach.
        let micros = micros
            .parse()
            .ok()
            .filter(|micros| (0..=LAST_MICROS).contains(micros))?;
        Some((Timestamp::from_micros(micros), Uuid::parse(id)?))
    }
}

/// The end of the year 9999.
const LAST_MICROS: i64 = 253_402_300_799_999_999;

/// Where a part begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin<M> {
    /// With the newest row.
    Newest,
    /// With the next older row after this one.
    Below(M),
    /// The part that ends before this row.
    Above(M),
}

fn unknown_cursor() -> Error {
    Error::invalid("page_cursor", "is not a cursor that this list gave out")
}

impl Window {
    /// Of a list that has one part: it gives out no cursors. Errors: `Invalid` when there is one.
    pub fn check_only(&self) -> Result<(), Error> {
        match self.cursor {
            Some(_) => Err(unknown_cursor()),
            None => Ok(()),
        }
    }

    /// Of activities that never happen. Errors: `Invalid` for a cursor of another list.
    pub fn check_activities(&self) -> Result<(), Error> {
        Begin::<(Timestamp, Uuid)>::of(List::Activities, self).map(|_| ())
    }
}

impl<M: Mark> Begin<M> {
    /// Errors: `Invalid` for a cursor that this list did not give out.
    pub fn of(list: List, window: &Window) -> Result<Self, Error> {
        let Some(cursor) = &window.cursor else {
            return Ok(Self::Newest);
        };
        let [of, way, mark] = Cursor::parse::<3>(cursor).map_err(|_| unknown_cursor())?;
        let mark = M::parse(&mark).filter(|_| of == list.text());
        let mark = mark.ok_or_else(unknown_cursor)?;
        match way.as_str() {
            "next" => Ok(Self::Below(mark)),
            "prev" => Ok(Self::Above(mark)),
            _ => Err(unknown_cursor()),
        }
    }

    /// One row more than the window shows is asked for; it says whether there are more. Rows above come oldest first.
    pub fn slice<T>(self, list: List, window: &Window, mut rows: Vec<T>, mark_of: impl Fn(&T) -> M) -> Slice<T> {
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
        let cursor = |way: &str, row: &T| {
            Cursor::new([list.text().to_owned(), way.to_owned(), mark_of(row).to_text()]).to_string()
        };
        let previous = rows.first().filter(|_| before).map(|row| cursor("prev", row));
        let next = rows.last().filter(|_| after).map(|row| cursor("next", row));
        Slice {
            items: rows,
            previous,
            next,
        }
    }
}

/// Where a part begins of a list in the order of its rows' ids, or, of what changed since a time, of the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    OfIds(List, Begin<Uuid>),
    OfChanges(List, Begin<(Timestamp, Uuid)>),
}

impl Order {
    /// Two names of a list: in the order of the ids, and of the changes.
    pub fn of([list, changed]: [List; 2], since: Option<Timestamp>, window: &Window) -> Result<Self, Error> {
        Ok(match since {
            None => Self::OfIds(list, Begin::of(list, window)?),
            Some(_) => Self::OfChanges(changed, Begin::of(changed, window)?),
        })
    }

    /// As [`Begin::slice`], of rows that have both marks.
    pub fn slice<T>(self, window: &Window, rows: Vec<T>, mark_of: impl Fn(&T) -> (Timestamp, Uuid)) -> Slice<T> {
        match self {
            Self::OfIds(list, begin) => begin.slice(list, window, rows, |row| mark_of(row).1),
            Self::OfChanges(list, begin) => begin.slice(list, window, rows, mark_of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of so many rows, read as a query would.
    fn read(rows: u128, window: &Window) -> Slice<Uuid> {
        let begin = Begin::<Uuid>::of(List::Tokens, window).unwrap();
        let all: Vec<Uuid> = (1..=rows).rev().map(Uuid::from_u128).collect();
        let found: Vec<Uuid> = match begin {
            Begin::Newest => all,
            Begin::Below(id) => all.into_iter().filter(|row| *row < id).collect(),
            Begin::Above(id) => all.into_iter().rev().filter(|row| *row > id).collect(),
        };
        let limit = usize::try_from(window.limit).unwrap() + 1;
        begin.slice(List::Tokens, window, found.into_iter().take(limit).collect(), |row| {
            *row
        })
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

    fn is_taken(list: List, cursor: &str) -> bool {
        let window = Window {
            limit: 1,
            cursor: Some(cursor.to_owned()),
        };
        match list {
            List::TokensChanged => Begin::<(Timestamp, Uuid)>::of(list, &window).is_ok(),
            _ => Begin::<Uuid>::of(list, &window).is_ok(),
        }
    }

    #[test]
    fn a_cursor_that_this_list_did_not_give_out_is_refused() {
        let id = Uuid::nil().to_string();
        let cursor = |parts: [&str; 3]| Cursor::new(parts.map(str::to_owned)).to_string();

        assert!(is_taken(List::Tokens, &cursor(["tokens", "next", &id])));
        assert!(is_taken(
            List::TokensChanged,
            &cursor(["tokens-changed", "next", &format!("7 {id}")])
        ));
        for wrong in [
            "",
            "%%%",
            &cursor(["tokens", "next", "7"]),
            &cursor(["tokens", "left", &id]),
            &cursor(["owners", "next", &id]),
            &cursor(["tokens-changed", "next", &format!("7 {id}")]),
        ] {
            assert!(!is_taken(List::Tokens, wrong), "{wrong}");
        }
        for mark in [
            id.clone(),
            format!("x {id}"),
            format!("-1 {id}"),
            format!("253402300800000000 {id}"),
            "7 x".to_owned(),
        ] {
            let wrong = cursor(["tokens-changed", "next", &mark]);
            assert!(!is_taken(List::TokensChanged, &wrong), "{mark}");
        }
    }

    #[test]
    fn a_list_with_one_part_knows_no_cursor() {
        assert!(Window::first(1).check_only().is_ok());
        let given = read(2, &Window::first(1)).next;
        let window = Window {
            limit: 1,
            cursor: given,
        };
        assert!(window.check_only().is_err());
        assert!(window.check_activities().is_err());
    }
}
