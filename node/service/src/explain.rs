//! `yiqiao-node explain`: what would be decided if another hospital asked for a patient's documents here, and by which clause. The decision
//! itself is asked ([`yiqiao_node_core::explain`]): for who connects systems, and for who wonders why something does not flow.
//!
//! It tells of this hospital's documents only: entry, class, clause and directive, never what stands in one; and it is a line of the audit.

use clap::Args;
use serde::{Deserialize, Serialize};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::ask;
use yiqiao_node_core::audit::Act;
use yiqiao_node_core::explain::{Asking, Explained, Supposition};
use yiqiao_node_core::machine::{Input, Machine};
use yiqiao_node_core::register::Number;
use yiqiao_node_core::state::{self, Fault, View};
use yiqiao_proto::codes::{PersonRole, Purpose};
use yiqiao_proto::id::{Code, EntryId, ReferralId, Subject};
use yiqiao_proto::phi::Phi;

use crate::app::App;
use crate::limits::EXPLAINED_MAX;
use crate::names::{name_of, named, names_of};

/// Who would ask, and for whom.
#[derive(Clone, Args, Serialize, Deserialize)]
pub(crate) struct Wondering {
    /// The patient's number of this hospital.
    number: String,
    /// The hospital that would ask.
    #[arg(long)]
    organisation: String,
    /// Its department, if it states one.
    #[arg(long)]
    department: Option<String>,
    /// The role of the person.
    #[arg(long, default_value = "physician")]
    role: String,
    /// For what: `emergency` takes the glass for broken.
    #[arg(long, default_value = "treatment")]
    purpose: String,
    /// The referral in the course of which it would ask.
    #[arg(long)]
    referral: Option<String>,
    /// It attests that it treats the patient.
    #[arg(long)]
    treating: bool,
}

// A number names a patient: it is not printed with the rest of a request.
impl std::fmt::Debug for Wondering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wondering(<phi>)")
    }
}

/// What would be decided about one document.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) entry: String,
    pub(crate) class: String,
    pub(crate) sensitivity: String,
    pub(crate) permits: bool,
    pub(crate) clause: String,
    pub(crate) directive: Option<String>,
    pub(crate) basis: Option<String>,
}

/// Decides, and lets nothing go.
pub(crate) async fn explain(app: &App, wondering: Wondering) -> Result<Vec<Line>, String> {
    let asking = asking(&wondering)?;
    let number = Number::Any(Phi::new(wondering.number));
    let found = app.inbox.ask(move |machine, view| machine.patients_by_number(&number, view)).await;
    let subject = match found.map_err(|error| error.to_string())?.as_slice() {
        [one] => *one,
        [] => return Err("nobody has this number here".to_owned()),
        _ => {
            return Err("several patients have this number: give one of a register that is unique".to_owned());
        }
    };
    let actor = Actor::System(Code::new("explain").map_err(|error| error.to_string())?);
    let look = Input::Look { actor, subject: Some(subject), act: Act::LookUp };
    app.inbox.hand(look).await.map_err(|error| error.to_string())?;
    let now = app.clock().now();
    let explained = app.inbox.ask(move |machine: &Machine, view: &View| {
        let entries = newest(&subject, view)?;
        machine.explain(&Supposition { subject, asking: asking.clone(), entries, said: None }, now, view)
    });
    let explained = explained.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    Ok(explained.iter().map(line).collect())
}

fn asking(wondering: &Wondering) -> Result<Asking, String> {
    let code = |text: &str| Code::new(text.to_ascii_lowercase()).map_err(|error| format!("{text}: {error}"));
    let referral = wondering.referral.as_deref();
    let referral = referral.map(|id| ReferralId::from_hex(id).ok_or("--referral: 64 hexadecimal digits"));
    let role = named(PersonRole::ALL, &wondering.role);
    let purpose = named(Purpose::ALL, &wondering.purpose);
    Ok(Asking {
        organisation: code(&wondering.organisation)?,
        department: wondering.department.as_deref().map(code).transpose()?,
        role: role.ok_or_else(|| format!("--role: one of {}", names_of(PersonRole::ALL)))?,
        purpose: purpose.ok_or_else(|| format!("--purpose: one of {}", names_of(Purpose::ALL)))?,
        referral: referral.transpose()?,
        treating: wondering.treating,
    })
}

/// The newest entries of a patient.
fn newest(subject: &Subject, view: &View) -> Result<Vec<EntryId>, Fault> {
    let items = view.get(&state::chain(subject))?.items;
    let items = ask::items(subject, items.saturating_sub(EXPLAINED_MAX), view)?;
    Ok(items.into_iter().filter(|item| item.withdrawal.is_none()).map(|item| item.entry).collect())
}

fn line(explained: &Explained) -> Line {
    let answer = &explained.now;
    Line {
        entry: explained.entry.to_string(),
        class: name_of(&explained.class),
        sensitivity: name_of(&explained.sensitivity),
        permits: answer.permits,
        clause: answer.clause.to_owned(),
        directive: answer.directive.map(|id| id.to_string()),
        basis: answer.basis.as_ref().map(name_of),
    }
}
