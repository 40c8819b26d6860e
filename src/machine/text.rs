//! stub
use core::fmt; use std::borrow::Cow; use std::sync::Arc;
/// Longest text of one message, bytes.
pub const TEXT_MAX: usize = 4096;
/// stub
pub fn sanitize(text: &str) -> Cow<'_, str> { Cow::Borrowed(text) }
/// stub
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafeText<'a>(Cow<'a, str>);
impl<'a> SafeText<'a> {
    /// Sanitises.
    pub fn new(text: &'a str) -> Self { Self(sanitize(text)) }
    /// The text.
    pub fn as_str(&self) -> &str { &self.0 }
    /// Owned copy.
    pub fn into_owned(self) -> SafeText<'static> { SafeText(Cow::Owned(self.0.into_owned())) }
}
impl fmt::Display for SafeText<'_> { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) } }
/// A valid name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(Arc<str>);
impl Name {
    /// Checks a name.
    ///
    /// # Errors
    /// why not
    pub fn parse(text: &str) -> Result<Self, NameError> { if text.is_empty() { Err(NameError::Empty) } else { Ok(Self(text.into())) } }
    /// The name.
    pub fn as_str(&self) -> &str { &self.0 }
    /// Confusable with another?
    pub fn looks_like(&self, other: &Self) -> bool { self == other }
}
impl fmt::Display for Name { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) } }
/// Why not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Nothing left after trimming.
    Empty,
    /// More than 24 columns.
    TooLong {
        /// how many columns
        columns: usize },
    /// Control, format or line-break characters.
    Control,
    /// Ends with a colon.
    Colon,
    /// A bare number.
    Number,
    /// Begins with a slash or the at sign.
    Prefix,
}
