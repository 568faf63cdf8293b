//! A label in the making: what an actor has put on it so far, checked as it comes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::contract::printer::{Code, Element, Error, Place, Size, Symbology};

/// Tenths of a millimetre: half a metre each way.
const SIDE_MAX: u16 = 5_000;
/// Elements of one label.
const ELEMENTS_MAX: usize = 256;
/// Bytes of a text or a code.
const CONTENT_LEN_MAX: usize = 2_048;
/// Bytes of all pictures on one label.
const PICTURES_LEN_MAX: usize = 256 * 1024;

/// A label of one actor's instance.
#[derive(Debug)]
pub struct Label {
    size: Size,
    elements: Mutex<Vec<Element>>,
}

impl Label {
    pub(crate) fn new(size: Size) -> Result<Self, Error> {
        let fits = |side: u16| (1..=SIDE_MAX).contains(&side);
        if !fits(size.width) || !fits(size.height) {
            return Err(invalid(format!("each side has 1 to {SIDE_MAX} tenths of a millimetre")));
        }
        Ok(Self { size, elements: Mutex::default() })
    }

    /// All of these, or none.
    pub(crate) fn add(&self, more: Vec<Element>) -> Result<usize, Error> {
        for element in &more {
            self.check(element)?;
        }
        let mut elements = self.elements();
        if elements.len() + more.len() > ELEMENTS_MAX {
            return Err(invalid(format!("a label has at most {ELEMENTS_MAX} elements")));
        }
        if pictures_len(&elements) + pictures_len(&more) > PICTURES_LEN_MAX {
            return Err(invalid(format!(
                "pictures of a label have at most {PICTURES_LEN_MAX} bytes"
            )));
        }
        elements.extend(more);
        Ok(elements.len())
    }

    pub(crate) fn copy(&self) -> Self {
        let elements = self.elements().clone();
        Self { size: self.size.clone(), elements: Mutex::new(elements) }
    }

    pub(crate) fn size(&self) -> &Size {
        &self.size
    }

    pub(crate) fn elements(&self) -> MutexGuard<'_, Vec<Element>> {
        // Whoever panicked had not begun to change them.
        self.elements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, element: &Element) -> Result<(), Error> {
        let at = match element {
            Element::Text(text) => {
                check_content(&text.content)?;
                check_height(text.height)?;
                &text.at
            }
            Element::Code(code) => {
                check_code(code)?;
                &code.at
            }
            Element::Picture(picture) => {
                let row = usize::from(picture.width / 8);
                if picture.width % 8 != 0 || row == 0 || picture.dots.len() % row != 0 {
                    return Err(invalid("a picture has whole rows of whole bytes"));
                }
                &picture.at
            }
            Element::Frame((at, _)) => at,
        };
        self.check_place(at)
    }

    fn check_place(&self, at: &Place) -> Result<(), Error> {
        if at.x < self.size.width && at.y < self.size.height {
            return Ok(());
        }
        let Size { width, height } = self.size;
        Err(invalid(format!("{}, {} is not on a label of {width} by {height}", at.x, at.y)))
    }
}

fn pictures_len(elements: &[Element]) -> usize {
    let len = |element: &Element| match element {
        Element::Picture(picture) => picture.dots.len(),
        _ => 0,
    };
    elements.iter().map(len).sum()
}

fn check_code(code: &Code) -> Result<(), Error> {
    check_content(&code.content)?;
    code.height.map_or(Ok(()), check_height)?;
    let digits = code.content.bytes().all(|byte| byte.is_ascii_digit());
    match code.symbology {
        Symbology::Ean13 if !digits || code.content.len() != 12 => {
            Err(invalid("an EAN-13 is made of twelve digits"))
        }
        Symbology::Code128 if !code.content.is_ascii() => {
            Err(invalid("a Code 128 is made of ASCII"))
        }
        _ => Ok(()),
    }
}

fn check_content(content: &str) -> Result<(), Error> {
    if content.is_empty() || content.len() > CONTENT_LEN_MAX {
        return Err(invalid(format!("a text or a code has 1 to {CONTENT_LEN_MAX} bytes")));
    }
    if content.contains(char::is_control) {
        return Err(invalid("a text or a code has no control characters"));
    }
    Ok(())
}

fn check_height(height: u16) -> Result<(), Error> {
    if (1..=SIDE_MAX).contains(&height) {
        return Ok(());
    }
    Err(invalid(format!("a height has 1 to {SIDE_MAX} tenths of a millimetre")))
}

fn invalid(why: impl Into<String>) -> Error {
    Error::Invalid(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::printer::{Picture, Style, Text};

    fn label() -> Label {
        Label::new(Size { width: 500, height: 300 }).expect("a label")
    }

    fn text(x: u16, content: &str) -> Element {
        let at = Place { x, y: 0 };
        Element::Text(Text { at, height: 30, style: Style::new(), content: content.to_owned() })
    }

    #[test]
    fn elements_are_added_all_or_none() {
        let label = label();
        assert_eq!(label.add(vec![text(0, "a"), text(10, "b")]), Ok(2));
        assert!(matches!(label.add(vec![text(0, "c"), text(500, "d")]), Err(Error::Invalid(_))));
        assert_eq!(label.elements().len(), 2);
        let copy = label.copy();
        assert_eq!(copy.add(vec![text(0, "e")]), Ok(3));
        assert_eq!(label.elements().len(), 2, "a copy is another label");
        let many = vec![text(0, "x"); ELEMENTS_MAX];
        assert!(matches!(label.add(many), Err(Error::Invalid(_))));
    }

    #[test]
    fn what_no_printer_could_print_is_refused() {
        let code = |symbology, content: &str| {
            let at = Place { x: 0, y: 0 };
            Element::Code(Code { at, symbology, height: None, content: content.to_owned() })
        };
        let picture = |width, len| {
            let at = Place { x: 0, y: 0 };
            Element::Picture(Picture { at, width, dots: vec![0; len].into() })
        };
        for bad in [
            text(0, ""),
            text(0, "^XA\u{7}"),
            code(Symbology::Ean13, "1234"),
            code(Symbology::Ean13, "12345678901x"),
            code(Symbology::Code128, "ß"),
            picture(9, 18),
            picture(0, 0),
            picture(16, 3),
            picture(8, PICTURES_LEN_MAX + 1),
        ] {
            assert!(matches!(label().add(vec![bad.clone()]), Err(Error::Invalid(_))), "{bad:?}");
        }
        assert!(Label::new(Size { width: 0, height: 1 }).is_err());
        assert_eq!(label().add(vec![code(Symbology::Qr, "ß"), picture(16, 4)]), Ok(2));
    }
}
