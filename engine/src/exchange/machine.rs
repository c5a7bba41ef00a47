//! What the portable language cannot say fast enough: prefetch, sixteen bytes in one load, delimiters 64 at a time.
//!
//! The only file of the engine with unsafe code in the hot path. What each piece pays: a batch of 94 MB on one thread takes 158 ms,
//! 264 ms with the portable twin of the load, 227 ms with that of the masks, 189 ms without prefetching (medians of 3 interleaved
//! rounds of the example `word_count FILE 1`). Every function has a portable twin, which other machines and Miri use and which the
//! tests compare with it.

/// Hints that `place` will be written soon.
#[inline(always)]
pub(crate) fn prefetch<T>(place: &T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch of any address has no effect that a program can see, and this one is a valid reference.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(std::ptr::from_ref(place).cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = place;
}

/// The bytes of a text of at most 16 bytes as two little-endian numbers, zeros behind its end.
#[inline(always)]
pub(crate) fn short_text(text: &[u8]) -> (u64, u64) {
    debug_assert!(text.len() <= 16);
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if !text.is_empty() && text.as_ptr().addr() % PAGE_BYTES <= PAGE_BYTES - 16 {
        return x86::short_text(text);
    }
    short_text_portable(text)
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
const PAGE_BYTES: usize = 4096;

fn short_text_portable(text: &[u8]) -> (u64, u64) {
    let mut bytes = [0; 16];
    bytes[..text.len()].copy_from_slice(text);
    let number = u128::from_le_bytes(bytes);
    (number as u64, (number >> 64) as u64)
}

/// White space as word count means it: 09–0D and 20.
#[inline(always)]
fn is_space(byte: u8) -> bool {
    byte == b' ' || (0x09..=0x0D).contains(&byte)
}

/// Which of 64 bytes are white space, first byte in the lowest bit.
#[inline(always)]
fn space_mask(block: &[u8; 64]) -> u64 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    return x86::space_mask(block);
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    space_mask_portable(block)
}

/// The same for at most 64 bytes; bits behind the end are 0.
fn space_mask_portable(bytes: &[u8]) -> u64 {
    bytes.iter().enumerate().fold(0, |mask, (at, byte)| mask | u64::from(is_space(*byte)) << at)
}

/// Calls `word` with each word of a text in order: each maximal run of bytes other than 09–0D and 20.
#[inline(always)]
pub fn for_each_word<'t>(text: &'t [u8], mut word: impl FnMut(&'t [u8])) {
    let (blocks, tail) = text.as_chunks::<64>();
    let mut start = 0;
    let mut end_words = |at: usize, mut spaces: u64| {
        while spaces != 0 {
            let end = at + spaces.trailing_zeros() as usize;
            spaces &= spaces - 1;
            if end > start {
                word(&text[start..end]);
            }
            start = end + 1;
        }
    };
    for (index, block) in blocks.iter().enumerate() {
        end_words(index * 64, space_mask(block));
    }
    end_words(blocks.len() * 64, space_mask_portable(tail));
    if start < text.len() {
        word(&text[start..]);
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod x86 {
    use core::arch::x86_64::{
        __m128i, _mm_add_epi8, _mm_and_si128, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_cvtsi128_si64, _mm_loadu_si128,
        _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8, _mm_unpackhi_epi64,
    };

    /// 16 bytes of ones, then 16 of zeros: 16 bytes from `16 - n` on keep the first n bytes.
    static KEEP: [u8; 32] = {
        let mut keep = [0; 32];
        let mut at = 0;
        while at < 16 {
            keep[at] = 0xFF;
            at += 1;
        }
        keep
    };

    /// The caller has checked that there is a first byte and that 16 bytes from it on lie in one page.
    #[inline(always)]
    pub(super) fn short_text(text: &[u8]) -> (u64, u64) {
        let mask: &[u8; 16] = KEEP[16 - text.len()..].first_chunk().expect("a text of at most 16 bytes");
        let bytes: __m128i;
        // SAFETY: reads 16 bytes from the start of `text`. Those behind its end may belong to no object of ours, so the load is
        // assembly, about which the compiler assumes nothing; the machine allows it, since the page of the first byte is mapped
        // and all 16 are in it; what they hold is masked away, so no result depends on them.
        unsafe {
            core::arch::asm!("movdqu {bytes}, [{text}]", bytes = out(xmm_reg) bytes, text = in(reg) text.as_ptr(),
                options(pure, readonly, nostack, preserves_flags));
        }
        // SAFETY: SSE2 is part of x86-64; the load reads the 16 bytes of `mask`.
        unsafe {
            let kept = _mm_and_si128(bytes, _mm_loadu_si128(mask.as_ptr().cast()));
            (_mm_cvtsi128_si64(kept) as u64, _mm_cvtsi128_si64(_mm_unpackhi_epi64(kept, kept)) as u64)
        }
    }

    #[inline(always)]
    pub(super) fn space_mask(block: &[u8; 64]) -> u64 {
        let mut mask = 0;
        for quarter in 0..4 {
            // SAFETY: SSE2 is part of x86-64; the load reads 16 of the 64 bytes of `block`.
            let bits = unsafe {
                let bytes = _mm_loadu_si128(block.as_ptr().add(16 * quarter).cast());
                // 09–0D moved to the five smallest signed numbers: one comparison finds them.
                let moved = _mm_add_epi8(bytes, _mm_set1_epi8((0x80u8 - 9) as i8));
                let control = _mm_cmplt_epi8(moved, _mm_set1_epi8((0x80u8 + 5) as i8));
                let blank = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b' ' as i8));
                _mm_movemask_epi8(_mm_or_si128(control, blank)) as u16
            };
            mask |= u64::from(bits) << (16 * quarter);
        }
        mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn short_texts_at_every_place_in_a_page_agree_with_the_portable_twin() {
        let bytes: Vec<u8> = (0..3 * 4096usize).map(|at| (at % 251) as u8).collect();
        assert_eq!(short_text(&[]), (0, 0), "an empty text has no first byte to read from");
        for start in 4000..4200 {
            for length in 0..=16 {
                let text = &bytes[start..start + length];
                assert_eq!(short_text(text), short_text_portable(text));
            }
        }
    }

    #[test]
    fn every_byte_is_white_space_or_not_as_defined() {
        for byte in 0..=255u8 {
            let mut block = [b'x'; 64];
            block[17] = byte;
            let expected = u64::from(matches!(byte, 9..=13 | 32)) << 17;
            assert_eq!(space_mask(&block), expected, "byte {byte:#x}");
            assert_eq!(space_mask_portable(&block), expected);
        }
    }

    proptest! {
        #[test]
        fn words_are_those_of_a_plain_split(text in prop::collection::vec(prop_oneof![4 => any::<u8>(), 1 => Just(b' '), 1 => Just(b'\n')], 0..300)) {
            let expected: Vec<&[u8]> = text.split(|byte| is_space(*byte)).filter(|word| !word.is_empty()).collect();
            let mut words = Vec::new();
            for_each_word(&text, |word| words.push(word));
            prop_assert_eq!(words, expected);
        }
    }
}
