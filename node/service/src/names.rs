//! Codes as people and programs write them: `MaternalChild` is `maternal-child`.

use std::fmt::Debug;

use yiqiao_node_core::remark::{Remark, Remarks};

/// The name of a code without fields.
pub(crate) fn name_of(code: &impl Debug) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// The code of a closed set that has this name.
pub(crate) fn named<T: Copy + Debug>(all: &[T], name: &str) -> Option<T> {
    all.iter().copied().find(|code| name_of(code) == name)
}

/// The names of all codes of a closed set, for a sentence.
pub(crate) fn names_of<T: Debug>(all: &[T]) -> String {
    all.iter().map(name_of).collect::<Vec<_>>().join(", ")
}

/// The names of remarks, in their fixed order.
pub(crate) fn remark_names(remarks: &Remarks) -> Vec<String> {
    remarks.iter().copied().map(remark_name).collect()
}

fn remark_name(remark: Remark) -> String {
    if let Remark::Read(flag) = remark { name_of(&flag) } else { name_of(&remark) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yiqiao_intake::flag::Flag;
    use yiqiao_proto::codes::FacilityKind;

    #[test]
    fn a_code_goes_to_its_name_and_back() {
        assert_eq!(name_of(&FacilityKind::MaternalChild), "maternal-child");
        for facility in FacilityKind::ALL {
            assert_eq!(named(FacilityKind::ALL, &name_of(facility)), Some(*facility));
        }
        assert_eq!(named(FacilityKind::ALL, "castle"), None);
    }

    #[test]
    fn a_remark_of_the_reader_has_the_name_of_its_flag() {
        let remarks = Remarks::from([Remark::Read(Flag::KindUnknown), Remark::NoToken]);
        assert_eq!(remark_names(&remarks), ["kind-unknown", "no-token"]);
    }
}
