/// One key of a table, described once: the reader checks keys against it, messages list it as the known alternatives,
/// and the JSON schema is written from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    pub name: &'static str,
    pub form: Form,
    pub required: Required,
    pub about: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Required {
    Yes,
    No,
}

/// The shape of a value. The reader's functions of the same name say what exactly is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Slug,
    Expression,
    Notation,
    Issuers,
    Duration,
    WholeAmount,
    Count,
    CountryCounts,
    Countries,
    Slugs,
    Addresses,
    Date,
    List,
    Table,
}

impl Parameter {
    pub const fn required(name: &'static str, form: Form, about: &'static str) -> Self {
        Self {
            name,
            form,
            required: Required::Yes,
            about,
        }
    }

    pub const fn optional(name: &'static str, form: Form, about: &'static str) -> Self {
        Self {
            name,
            form,
            required: Required::No,
            about,
        }
    }
}
