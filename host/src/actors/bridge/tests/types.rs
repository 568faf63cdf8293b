//! One type with every kind of type in it.

/// Types that are named in WIT have to be exported by name.
pub(super) const TYPES: &str = r#"
    (type $colour' (enum "dark-red" "green"))
    (export "colour" (type $colour (eq $colour')))
    (type $wishes' (flags "gift-wrap" "express" "insured"))
    (export "wishes" (type $wishes (eq $wishes')))
    (type $shade' (variant (case "none") (case "grey-level" u8) (case "named" (tuple string $colour))))
    (export "shade" (type $shade (eq $shade')))
    (type $all' (record
        (field "a-bool" bool)
        (field "small" (tuple s8 u8 s16 u16))
        (field "large" (tuple s32 u32 s64 u64))
        (field "floats" (tuple float32 float64))
        (field "letter" char)
        (field "name" string)
        (field "raw" (list u8))
        (field "shades" (list $shade))
        (field "colour" $colour)
        (field "wishes" $wishes)
        (field "maybe" (option u32))
        (field "nested" (option (option (option string))))
        (field "outcome" (result (list u8) (error $shade)))
        (field "bare" (result))
    ))
    (export "all" (type $all (eq $all')))
"#;

/// The record of them all.
pub(super) const ALL: &str = "$all";

/// Resources, and a record with handles in every kind of type that others can be in.
pub(super) const HANDLES: &str = r#"
    (export "cart" (type $cart (sub resource)))
    (export "voucher" (type $voucher (sub resource)))
    (type $payment' (variant (case "cash") (case "by-voucher" (own $voucher)) (case "split" (tuple (own $voucher) u64))))
    (export "payment" (type $payment (eq $payment')))
    (type $order' (record
        (field "cart" (own $cart))
        (field "spare" (option (own $cart)))
        (field "nested" (option (option (own $cart))))
        (field "number" u32)
        (field "payments" (list $payment))
        (field "outcome" (result (own $voucher) (error (list (own $cart)))))
        (field "raw" (list u8))
    ))
    (export "order" (type $order (eq $order')))
"#;

/// The record.
pub(super) const WITH_HANDLES: &str = "$order";
