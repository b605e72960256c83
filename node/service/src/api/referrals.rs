//! `/api/referrals`: the boxes, one referral, drafts and steps. Not here: how referrals are shown: [`super::referral_shown`];
//! filing the patient of one: [`super::filing`].

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Deserialize;
use yiqiao_host::http::{Json, Problem, method_not_allowed};
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::ask::Patient;
use yiqiao_node_core::audit;
use yiqiao_node_core::boxes::Folder;
use yiqiao_node_core::machine::{Input, Machine, Outcome};
use yiqiao_node_core::state::View;
use yiqiao_proto::codes::ReferralAct;
use yiqiao_proto::form::ListedDocument;
use yiqiao_proto::id::{Code, DirectiveId, EntryId, ReferralId};
use yiqiao_proto::phi::Phi;
use yiqiao_proto::referral::Side;

use crate::api::asking::unexpected;
use crate::api::faults::{NO_MEMBER, NOT_SEEN, STATE, unfit};
use crate::api::fetching::Which;
use crate::api::front::{Acting, After, Front, Page, member_code, subject};
use crate::api::limits::{DRAFTS_MAX, FETCH_MAX};
use crate::api::parse;
use crate::api::person::{Revealed, revealed_form};
use crate::api::record::{need_documents, own_listed, permits_for};
use crate::api::referral_form::{Form, Reply};
use crate::api::referral_shown::{Known, Row, Whole, identified, rest};

pub(super) fn router() -> Router<Front> {
    let draft = axum::routing::put(save).delete(discard).fallback(method_not_allowed);
    Router::new()
        .route("/api/referrals/sent", get(sent).fallback(method_not_allowed))
        .route("/api/referrals/inbox", get(inbox).fallback(method_not_allowed))
        .route("/api/referrals/drafts", post(create).fallback(method_not_allowed))
        .route("/api/referrals/drafts/{id}", draft)
        .route("/api/referrals/{member}/{id}", get(one).fallback(method_not_allowed))
        .route("/api/referrals/{member}/{id}/act", post(act).fallback(method_not_allowed))
        .route("/api/referrals/{member}/{id}/reveal", post(reveal).fallback(method_not_allowed))
}

async fn sent(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    after: After,
) -> Result<Json<Page<Row>>, Problem> {
    let before = after.place()?;
    let mut page = front.folder(&actor, Folder::Sent, before).await?;
    if before.is_none() {
        let drafts = front.drafts(&actor).await?;
        page.items.splice(0..0, drafts);
    }
    Ok(Json(page))
}

async fn inbox(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    after: After,
) -> Result<Json<Page<Row>>, Problem> {
    Ok(Json(front.folder(&actor, Folder::Inbox, after.place()?).await?))
}

async fn one(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path((member, id)): Path<(String, String)>,
) -> Result<Json<Whole>, Problem> {
    let (member, id) = (member_code(&member)?, referral_id(&id)?);
    front.referral(&actor, &member, id).await.map(Json)
}

/// The numbers of the form in full: who files the patient compares them with the papers. Audited.
async fn reveal(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path((member, id)): Path<(String, String)>,
) -> Result<Json<Revealed>, Problem> {
    let (member, id) = (member_code(&member)?, referral_id(&id)?);
    let known = front.known(&actor, &member, id).await?.ok_or_else(|| Problem::new(&NOT_SEEN))?;
    front.look(&actor, known.referral.subject, audit::Act::Reveal).await?;
    Ok(Json(revealed_form(&known.referral.form)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    subject: String,
    to: String,
    form: Form,
    entries: Vec<Which>,
}

async fn create(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Json(draft): Json<Draft>,
) -> Result<(StatusCode, Json<Whole>), Problem> {
    Ok((StatusCode::CREATED, Json(front.save(&actor, None, draft).await?)))
}

async fn save(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(id): Path<String>,
    Json(draft): Json<Draft>,
) -> Result<Json<Whole>, Problem> {
    front.save(&actor, Some(referral_id(&id)?), draft).await.map(Json)
}

async fn discard(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    front.hand(Input::DropDraft { actor, id: referral_id(&id)? }).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    act: String,
    #[serde(default)]
    reply: Option<Reply>,
}

async fn act(
    State(front): State<Front>,
    Acting { actor, .. }: Acting,
    Path((member, id)): Path<(String, String)>,
    Json(asked): Json<Act>,
) -> Result<StatusCode, Problem> {
    let (referring, id) = (member_code(&member)?, referral_id(&id)?);
    let act = parse::code("act", ReferralAct::ALL, &asked.act)?;
    let input = if act == ReferralAct::Send {
        if referring != front.app.member.code {
            return Err(Problem::new(&STATE));
        }
        Input::Send { actor, id }
    } else {
        let reply = Phi::new(asked.reply.unwrap_or_default().write(act)?);
        Input::Act { actor, referring, id, act, reply, seen: None }
    };
    front.hand(input).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn referral_id(text: &str) -> Result<ReferralId, Problem> {
    ReferralId::from_hex(text).ok_or_else(|| Problem::new(&NOT_SEEN))
}

impl Front {
    async fn folder(&self, actor: &Actor, of: Folder, before: Option<u64>) -> Result<Page<Row>, Problem> {
        let actor = actor.clone();
        let read = move |machine: &Machine, view: &View| machine.referrals(&actor, of, before, view);
        let (referrals, next) = self.app.inbox.ask(read).await?;
        let items = referrals.iter().map(|(_, one)| self.referral_row(one, one.sent_at)).collect();
        Ok(Page { items, next: next.map(|place| place.to_string()) })
    }

    async fn drafts(&self, actor: &Actor) -> Result<Vec<Row>, Problem> {
        let login = actor.login().to_owned();
        let read = move |machine: &Machine, view: &View| {
            let (mut drafts, mut after) = (Vec::new(), 0);
            while let page = machine.drafts(&login, after, view)?
                && let Some((last, _)) = page.last()
            {
                after = *last;
                drafts.extend(page);
                // Of more than anybody has, the newest.
                drafts.drain(..drafts.len().saturating_sub(DRAFTS_MAX));
            }
            Ok(drafts)
        };
        let mut drafts = self.app.inbox.ask(read).await?;
        drafts.reverse();
        Ok(drafts.iter().map(|(_, draft)| self.draft_row(draft)).collect())
    }

    /// A referral, or the draft of one.
    async fn referral(&self, actor: &Actor, member: &Code, id: ReferralId) -> Result<Whole, Problem> {
        if let Some(known) = self.known(actor, member, id).await? {
            return Ok(self.whole_referral(actor, known));
        }
        if *member != self.app.member.code {
            return Err(Problem::new(&NOT_SEEN));
        }
        let (who, now) = (actor.clone(), self.now());
        let read = move |machine: &Machine, view: &View| {
            let Some(draft) = machine.draft(&who, &id, view)? else { return Ok(None) };
            let form = draft.form.expose();
            let named = (&machine.config().organisation, &id);
            let rest = rest(machine, view, form, named, Some(draft.subject), &draft.to, now)?;
            Ok(Some((draft, rest)))
        };
        let (draft, rest) = self.app.inbox.ask(read).await?.ok_or_else(|| Problem::new(&NOT_SEEN))?;
        Ok(self.whole_draft(&draft, &rest))
    }

    async fn known(&self, actor: &Actor, member: &Code, id: ReferralId) -> Result<Option<Known>, Problem> {
        let (actor, member, now) = (actor.clone(), member.clone(), self.now());
        let read = move |machine: &Machine, view: &View| {
            let Some((referral, steps)) = machine.referral(&actor, &member, &id, view)? else {
                return Ok(None);
            };
            let to = &referral.receiving;
            let named = (&referral.referring, &referral.id);
            let mut rest = rest(machine, view, &referral.form, named, referral.subject, to, now)?;
            if referral.side == Side::Receiving && referral.subject.is_none() {
                rest.candidates = identified(machine, view, &referral.form)?;
            }
            Ok(Some(Known { referral, steps, rest }))
        };
        Ok(self.app.inbox.ask(read).await?)
    }

    async fn save(&self, actor: &Actor, id: Option<ReferralId>, draft: Draft) -> Result<Whole, Problem> {
        if draft.entries.len() > FETCH_MAX {
            return Err(unfit("entries", "at most 256 documents"));
        }
        let subject = subject(&draft.subject)?;
        let to = Code::new(draft.to.as_str()).map_err(|_| Problem::new(&NO_MEMBER))?;
        let (patient, _) = self.reader(actor, subject).await?;
        let mut form = draft.form.write(actor, &patient, self.now())?;
        (form.documents, form.directives) = self.handed_over(&patient, &to, &draft.entries).await?;
        let input = Input::Draft { actor: actor.clone(), id, subject, to, form: Box::new(form) };
        let Outcome::Drafted(id) = self.hand(input).await? else { return Err(unexpected()) };
        let own = self.app.member.code.clone();
        self.referral(actor, &own, id).await
    }

    /// The own documents that a referral hands over, and the directives that let it.
    async fn handed_over(
        &self,
        patient: &Patient,
        to: &Code,
        entries: &[Which],
    ) -> Result<(Vec<ListedDocument>, Vec<DirectiveId>), Problem> {
        let own = self.app.member.code.clone();
        let (to, now, subject) = (to.clone(), self.now(), patient.subject);
        let subjects: Vec<_> =
            std::iter::once(patient.subject).chain(patient.retired.iter().copied()).collect();
        let ids = entries.iter().filter(|one| one.holder == own.as_str());
        let ids: Vec<_> = ids.filter_map(|one| EntryId::from_hex(&one.entry)).collect();
        let read = move |machine: &Machine, view: &View| {
            let mut listed = Vec::new();
            need_documents(view, &ids)?;
            for id in &ids {
                let document = machine.document(id, view)?;
                let document = document.filter(|one| !one.withdrawn && subjects.contains(&one.subject));
                listed.extend(document.and_then(|one| own_listed(&own, &one)));
            }
            listed.sort_by_key(|one| one.entry_id);
            listed.dedup_by_key(|one| one.entry_id);
            Ok((listed, permits_for(machine, view, &subject, &to, now)?))
        };
        Ok(self.app.inbox.ask(read).await?)
    }
}
