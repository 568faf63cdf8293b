//! Labels in ZPL II, the language of Zebra's printers and of many others.

use std::fmt::Write as _;

use crate::{
    contract::printer::{Code, Element, Picture, Place, StyleFlag, Symbology, Text},
    label::Label,
};

/// Bars whose height nobody said: 15 mm.
const BARS_HEIGHT: u16 = 150;

/// What a printer with so many dots per millimetre is sent for one label.
pub(crate) fn write(label: &Label, dots_per_mm: u16, copies: u16) -> String {
    let mut zpl = Zpl { text: String::new(), dots_per_mm };
    let size = label.size();
    let (width, height) = (zpl.dots(size.width), zpl.dots(size.height));
    // UTF-8, and where the label ends.
    zpl.push(format_args!("^XA^CI28^PW{width}^LL{height}\n"));
    for element in label.elements().iter() {
        match element {
            Element::Text(text) => zpl.text(text),
            Element::Code(code) => zpl.code(code),
            Element::Picture(picture) => zpl.picture(picture),
            Element::Frame((at, size)) => {
                let (width, height) = (zpl.dots(size.width), zpl.dots(size.height));
                zpl.at(at);
                zpl.push(format_args!("^GB{width},{height},2^FS\n"));
            }
        }
    }
    zpl.push(format_args!("^PQ{copies}^XZ\n"));
    zpl.text
}

struct Zpl {
    text: String,
    dots_per_mm: u16,
}

impl Zpl {
    fn push(&mut self, more: std::fmt::Arguments<'_>) {
        self.text.write_fmt(more).expect("a text takes more");
    }

    /// Tenths of a millimetre in dots: at least one.
    fn dots(&self, tenths: u16) -> u32 {
        (u32::from(tenths) * u32::from(self.dots_per_mm) / 10).max(1)
    }

    fn at(&mut self, at: &Place) {
        let dots = |tenths: u16| u32::from(tenths) * u32::from(self.dots_per_mm) / 10;
        let (x, y) = (dots(at.x), dots(at.y));
        self.push(format_args!("^FO{x},{y}"));
    }

    fn text(&mut self, text: &Text) {
        let height = self.dots(text.height);
        let turned = if text.style.contains(&StyleFlag::Turned) { 'R' } else { 'N' };
        let inverted = if text.style.contains(&StyleFlag::Inverted) { "^FR" } else { "" };
        self.at(&text.at);
        self.push(format_args!("{inverted}^A0{turned},{height}"));
        self.content("", &text.content);
    }

    fn code(&mut self, code: &Code) {
        let height = self.dots(code.height.unwrap_or(BARS_HEIGHT));
        self.at(&code.at);
        match code.symbology {
            Symbology::Code128 => self.push(format_args!("^BCN,{height},Y,N,N")),
            Symbology::Ean13 => self.push(format_args!("^BEN,{height},Y,N")),
            Symbology::Qr => self.push(format_args!("^BQN,2,5")),
        }
        // A QR code's content begins with how much of it may be lost.
        self.content(if code.symbology == Symbology::Qr { "QA," } else { "" }, &code.content);
    }

    fn picture(&mut self, picture: &Picture) {
        let (row, len) = (picture.width / 8, picture.dots.len());
        self.at(&picture.at);
        self.push(format_args!("^GFA,{len},{len},{row},"));
        for byte in picture.dots.iter() {
            self.push(format_args!("{byte:02X}"));
        }
        self.push(format_args!("^FS\n"));
    }

    /// A field's data. What would end it, or begin a command, is written in hexadecimal.
    fn content(&mut self, head: &str, content: &str) {
        self.push(format_args!("^FH^FD{head}"));
        for letter in content.chars() {
            match letter {
                '^' | '~' | '_' => self.push(format_args!("_{:02X}", u32::from(letter))),
                _ => self.text.push(letter),
            }
        }
        self.push(format_args!("^FS\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::printer::Size;

    #[test]
    fn a_label_is_what_a_printer_understands() {
        let at = |x, y| Place { x, y };
        let label = Label::new(Size { width: 1_000, height: 500 }).expect("a label");
        let text = |style: &[StyleFlag], content: &str| {
            let style = style.iter().copied().collect();
            Element::Text(Text { at: at(50, 50), height: 40, style, content: content.to_owned() })
        };
        let code = |symbology, height, content: &str| {
            Element::Code(Code { at: at(0, 100), symbology, height, content: content.to_owned() })
        };
        let picture = Picture { at: at(1, 1), width: 16, dots: vec![0, 0x80, 0xff, 1].into() };
        let added = label.add(vec![
            text(&[], "Ä ^XZ~JA_"),
            text(&[StyleFlag::Inverted, StyleFlag::Turned], "x"),
            code(Symbology::Code128, Some(100), "A-1"),
            code(Symbology::Ean13, None, "400638133393"),
            code(Symbology::Qr, None, "https://example.com"),
            Element::Picture(picture),
            Element::Frame((at(0, 0), Size { width: 1_000, height: 1 })),
        ]);
        assert_eq!(added, Ok(7));
        let expected = "\
^XA^CI28^PW800^LL400
^FO40,40^A0N,32^FH^FDÄ _5EXZ_7EJA_5F^FS
^FO40,40^FR^A0R,32^FH^FDx^FS
^FO0,80^BCN,80,Y,N,N^FH^FDA-1^FS
^FO0,80^BEN,120,Y,N^FH^FD400638133393^FS
^FO0,80^BQN,2,5^FH^FDQA,https://example.com^FS
^FO0,0^GFA,4,4,2,0080FF01^FS
^FO0,0^GB800,1,2^FS
^PQ3^XZ
";
        assert_eq!(write(&label, 8, 3), expected);
    }
}
