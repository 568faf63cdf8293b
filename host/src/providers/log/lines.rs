//! Bytes cut into lines, of which none takes more memory than it may.

/// Bytes of one line; the rest of a longer one is skipped.
pub(super) const LINE_LEN_MAX: usize = 16 * 1024;

/// The line that is not yet whole.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    skipping: bool,
}

impl Lines {
    /// Takes what was read, and calls `line` for each line that it completes.
    pub(super) fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8])) {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        let unfinished = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            self.add(piece);
            line(&self.begun);
            self.begun.clear();
            self.skipping = false;
        }
        self.add(unfinished);
    }

    /// The end: what was begun is a line too.
    pub(super) fn finish(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.begun.is_empty() {
            line(&self.begun);
            self.begun = Vec::new();
        }
    }

    fn add(&mut self, piece: &[u8]) {
        if self.skipping {
            return;
        }
        let room = LINE_LEN_MAX - self.begun.len();
        self.begun.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() > room {
            self.begun.extend_from_slice("…".as_bytes());
            self.skipping = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.feed(chunk, |line| found.push(line.to_vec()));
            assert!(lines.begun.len() <= LINE_LEN_MAX + 3);
        }
        lines.finish(|line| found.push(line.to_vec()));
        found
    }

    #[test]
    fn lines_are_the_same_however_they_were_cut() {
        let text = b"one\n\ntwo\nthree";
        let whole = lines_of([&text[..]]);
        assert_eq!(whole, [&b"one"[..], b"", b"two", b"three"]);
        for size in 1..text.len() {
            assert_eq!(lines_of(text.chunks(size)), whole, "{size}");
        }
    }

    #[test]
    fn noise_never_takes_more_memory_than_a_line_and_is_always_printable() {
        use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};
        for seed in 0..500 {
            let mut random = StdRng::seed_from_u64(seed);
            let mut noise = vec![0; random.random_range(0..100_000)];
            random.fill_bytes(&mut noise);
            let size = random.random_range(1..40_000);
            for line in lines_of(noise.chunks(size)) {
                let message = super::super::line::Line::parse(&line).message;
                let text = crate::logbook::printable(message, 500);
                assert!(text.len() < 520 && !text.contains(['\n', '\u{1b}', '\0']), "seed {seed}");
            }
        }
    }

    #[test]
    fn an_endless_line_is_cut_and_the_next_one_is_whole() {
        let mut text = vec![b'x'; 10 * LINE_LEN_MAX];
        text.extend_from_slice(b"\nnext\n");
        for size in [1, 1_000, LINE_LEN_MAX, LINE_LEN_MAX + 1, text.len()] {
            let found = lines_of(text.chunks(size));
            assert_eq!(found.len(), 2, "{size}");
            assert_eq!(found[0].len(), LINE_LEN_MAX + "…".len(), "{size}");
            assert_eq!(found[1], b"next", "{size}");
        }
    }
}
