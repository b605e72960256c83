//! ITI-43: which documents are asked for, and the envelope around them.

use yiqiao_xds::retrieve::{Content, Given, Wanted, read, response};
use yiqiao_xds::soap;
use yiqiao_xds::wrong::{Code, Wrong};

const EXAMPLE: &str = include_str!("../../../../docs/examples/xds/retrieve.xml");

fn asked(text: &str) -> Result<Vec<Wanted>, Wrong> {
    let document = soap::parse(text).unwrap();
    read(soap::read(&document).unwrap().request)
}

fn wanted(unique: &str) -> Wanted {
    Wanted { home: String::new(), repository: "REPOSITORY".to_owned(), unique: unique.to_owned() }
}

#[test]
fn documents_are_asked_for_by_repository_and_unique_id() {
    assert_eq!(asked(EXAMPLE).unwrap(), [wanted("UNIQUE")]);
    let home = "<xdsb:HomeCommunityId>urn:oid:1.2</xdsb:HomeCommunityId><xdsb:RepositoryUniqueId>";
    let of_home = asked(&EXAMPLE.replace("<xdsb:RepositoryUniqueId>", home)).unwrap();
    assert_eq!(of_home[0].home, "urn:oid:1.2");
    assert_eq!(asked(&EXAMPLE.replace("UNIQUE", " ")).unwrap_err().code, Code::Repository);
    let many = "<xdsb:DocumentRequest/>".repeat(200);
    let none = EXAMPLE.split("<xdsb:DocumentRequest>").next().unwrap().to_owned();
    let end = "</xdsb:RetrieveDocumentSetRequest></env:Body></env:Envelope>";
    assert!(asked(&format!("{none}{end}")).is_err());
    assert!(asked(&format!("{none}{many}{end}")).is_err());
}

#[test]
fn an_answer_says_what_is_given_and_what_is_not() {
    let one = |content| Given { wanted: wanted("1.2"), media: "text/plain".to_owned(), content };
    let wrong = Wrong::new(Code::DocumentUniqueId, "no").at("1.3");
    let all = response(&[one(Content::Part("d0@xds".to_owned()))], &[]);
    assert!(all.contains("ResponseStatusType:Success") && all.contains("href=\"cid:d0@xds\""), "{all}");
    let some = response(&[one(Content::Inline(vec![0, 1]))], std::slice::from_ref(&wrong));
    assert!(some.contains("ResponseStatusType:PartialSuccess") && some.contains(">AAE=<"), "{some}");
    let none = response(&[], &[wrong]);
    assert!(none.contains("ResponseStatusType:Failure") && none.contains("location=\"1.3\""), "{none}");
}
