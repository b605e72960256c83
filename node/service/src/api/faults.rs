//! What goes wrong for somebody at a page, in sentences that say what to do. What is not allowed and what is unknown look
//! the same. Nothing here describes a patient.

use axum::http::StatusCode;
use yiqiao_host::http::{Problem, ProblemKind, kind};
use yiqiao_node_core::machine::Refused;
use yiqiao_node_core::open::Denial;
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::passkey::PasskeyError;
use yiqiao_proto::time::Millis;

use crate::members::CallFailed;
use crate::sequencer::NotTaken;

/// When to come again while the node or the registry is busy.
const AGAIN: Millis = Millis::from_secs(5);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $status:ident $slug:literal $title:literal $zh:literal $en:literal)*) => {$(
        $(#[$doc])*
        pub(super) const $name: ProblemKind = ProblemKind {
            slug: $slug,
            status: StatusCode::$status,
            title: $title,
            zh: $zh,
            en: $en,
        };
    )*};
}

kinds! {
    /// Unknown, or not for this person.
    NOT_SEEN NOT_FOUND "not-seen" "There is nothing here that this account may see."
        "没有找到，或者您没有权限查看。请核对后重试；确需查看的，请联系科主任或信息科。"
        "Nothing was found that you may see. Check the number, or ask the head of the department."
    /// The patient cannot be found in the region.
    NO_TOKEN UNPROCESSABLE_ENTITY "no-token" "The patient has no identifier that the region knows."
        "患者没有有效的身份证号或电子健康卡号，不能在区域内登记或检索。请先在 HIS 补录证件号码。"
        "The patient has no valid resident ID or health card. Please complete it in the HIS first."
    /// The patient is known by a number alone.
    NO_NAME UNPROCESSABLE_ENTITY "no-name" "The patient's name is not known."
        "本院只知道这位患者的号码，还不知道姓名，不能转诊。请先在 HIS 补录姓名等登记信息。"
        "Only a number of this patient is known, and no name. Please complete it in the HIS first."
    /// The day's token evaluations are used up.
    TOKENS_LATER SERVICE_UNAVAILABLE "tokens-later" "The region gives this hospital no more tokens today."
        "本院今天向区域查询新患者的次数已用完，这位患者要到明天才能登记或检索。如经常发生，请联系信息科。"
        "This hospital has asked for as many new patients today as the region allows. Please try again tomorrow."
    /// A decision denies it.
    DENIED FORBIDDEN "denied" "The document may not be opened now."
        "这份资料现在不能打开：没有查到有效的患者同意，或者同意已被撤回。如需查阅，请先登记患者的同意。"
        "The document may not be opened now: the patient's consent is missing or was revoked."
    /// It is not here, or no longer.
    NOT_HERE NOT_FOUND "not-here" "The document is not in this hospital."
        "这份资料不在本院：尚未取得，或者已在患者撤回同意后清除。请先获取。"
        "The document is not here: it was not fetched yet, or was erased when the patient revoked consent."
    /// Withdrawn by who made it.
    WITHDRAWN GONE "withdrawn" "The document was withdrawn."
        "这份资料已被原医院撤销，不能再打开。"
        "The document was withdrawn by the hospital that made it."
    /// The referral's patient is not filed.
    NOT_FILED CONFLICT "not-filed" "The patient of the referral is not filed yet."
        "转诊患者还没有核对身份并归档，请先归档再打开资料。"
        "Please confirm the identity of the referred patient and file it first."
    /// The lease is over.
    NO_LEASE SERVICE_UNAVAILABLE "no-lease" "Consent cannot be checked now."
        "区域登记平台暂时连接不上，现在无法确认患者的同意是否仍然有效，外院资料暂不能打开。请稍后重试。"
        "The registry is away, so consent cannot be checked. Please try again later."
    /// The registry does not answer.
    REGISTRY_AWAY SERVICE_UNAVAILABLE "registry-away" "The registry cannot be reached."
        "区域登记平台暂时连接不上，请稍后重试。"
        "The registry cannot be reached. Please try again later."
    /// The registry refuses.
    REGISTRY_REFUSED CONFLICT "registry-refused" "The registry refused."
        "区域登记平台没有接受。请刷新后重试；如再次出现，请联系信息科。"
        "The registry refused. Please reload and try again, or contact hospital IT."
    /// Kept and not yet in the log.
    QUEUED SERVICE_UNAVAILABLE "queued" "It is kept here and will be handed in."
        "已在本院保存，区域登记平台恢复连接后自动登记，请不要重复登记。登记之前还没有生效。"
        "It is kept here and will be registered once the registry can be reached. Please do not record it again."
    /// A consent act was refused for good.
    ACT_REFUSED CONFLICT "act-refused" "The registry did not take the act."
        "区域登记平台没有接受这项登记：内容可能已被更改。请刷新后重新登记。"
        "The registry did not take it: consents may have changed meanwhile. Please reload and record it again."
    /// The notice is another one.
    NOTICE CONFLICT "notice" "The notice is of another version."
        "告知书已更新或与所选范围不符。请重新打印告知书，由患者签字后再登记。"
        "The notice has changed. Please print it again and have it signed."
    /// The referral has moved on.
    STATE CONFLICT "state" "The step is not allowed where the referral stands."
        "转诊的状态已经改变，不能执行此操作。请刷新后重试。"
        "The referral has moved on. Please reload."
    /// Somebody else has decided meanwhile.
    DECIDED CONFLICT "decided" "This was decided meanwhile."
        "已有人作出决定，请刷新。"
        "Somebody has decided this meanwhile. Please reload."
    /// Too many numbers are one patient.
    MERGED_TOO_OFTEN CONFLICT "merged-too-often" "Too many numbers are one patient already."
        "合并到这位患者的登记已达上限，没有执行。请联系信息科。"
        "Too many registrations are this patient already; nothing was changed. Please ask the IT department."
    /// The draft is a referral by now.
    SENT_BEFORE CONFLICT "sent-before" "The draft was sent before."
        "这份转诊单已经发送，不能再改动或重新发送。"
        "The draft was sent before: it can no longer be changed or sent."
    /// A resident identity number with a mistake in it.
    CHECK_DIGIT UNPROCESSABLE_ENTITY "check-digit" "The check digit of the resident ID does not fit."
        "身份证号的校验位不符，其中有数字输入有误。请对照证件原件核对。"
        "The check digit of the resident ID does not fit: one of its digits is wrong. Please compare it with the card."
    /// Identifiers do not fit.
    DOUBTFUL CONFLICT "doubtful" "No identifier of the referral is this patient's."
        "转诊单上的证件号码与所选患者不一致。请再次核对证件；确认为同一人的，请勾选确认后再归档。"
        "No identifier of the referral is this patient's. Please check again, and confirm if it is the same person."
    /// Filed before.
    FILED_BEFORE CONFLICT "filed-before" "The referral was filed under another patient."
        "这份转诊已归档到另一位患者名下。"
        "The referral was filed under another patient before."
    /// The number is somebody's, whichever register of the hospital gave it.
    NUMBER_TAKEN CONFLICT "number-taken" "The number is another patient's."
        "本院已有患者使用这个病案号，且证件号码与转诊单不一致。请核对后重新输入；如确为同一人，请按病案号查找并选择该患者，或先在HIS中补全其证件号码，再归档。"
        "A patient of this hospital has this number, with other identifiers than the referral. Please check it; if it is the same person, find that patient by the number and choose it, or have the HIS complete the identifiers first."
    /// No such hospital.
    NO_MEMBER UNPROCESSABLE_ENTITY "no-member" "No current hospital of the region has this code."
        "对方医院目前不能接收转诊或资料，请选择其他医院。"
        "The other hospital cannot take referrals now. Please choose another one."
    /// No passkeys here.
    NO_PASSKEYS CONFLICT "no-passkeys" "There are no passkeys of this region here."
        "本地区还没有启用通行密钥，或者本院的页面地址、作证资格没有登记。请联系信息科。"
        "The region has no passkeys, or this hospital's page or voucher's right is not listed. Please contact hospital IT."
    /// A one-time code that opens nothing.
    ENROLMENT_OVER NOT_FOUND "enrolment-over" "The one-time code opens nothing."
        "一次性码不对，或者已经用过、已经过期。请核对；仍然不行的，请窗口重新发码。"
        "The one-time code is wrong, was used, or is over. Please ask the desk for another one."
    /// Enrolled before.
    PASSKEY_KNOWN CONFLICT "passkey-known" "The passkey was enrolled before."
        "这个通行密钥已经登记过，可以直接使用。要再登记一个，请换一台设备。"
        "This passkey was enrolled before. Use it, or enrol another one on another device."
    /// Nobody is known by it.
    PASSKEY_UNKNOWN FORBIDDEN "passkey-unknown" "The passkey is not one of this patient's."
        "这个通行密钥没有在本院为您登记过。请换一个，或到窗口登记。"
        "This passkey was not enrolled for you here. Please use another one, or enrol it at the desk."
    /// Taken out.
    PASSKEY_REVOKED FORBIDDEN "passkey-revoked" "The passkey was revoked."
        "这个通行密钥已经停用。请用其他通行密钥，或到窗口重新登记。"
        "This passkey was revoked. Please use another one, or enrol one at the desk."
    /// Not in the log yet.
    PASSKEY_WAITING SERVICE_UNAVAILABLE "passkey-waiting" "The registry has not taken the passkey yet."
        "区域登记平台还没有确认这个通行密钥，请稍后再试。"
        "The registry has not confirmed this passkey yet. Please try again later."
    /// Too many.
    PASSKEYS_FULL CONFLICT "passkeys-full" "No more passkeys of this patient are taken."
        "这位患者在本院登记过的通行密钥已达上限，不能再登记。"
        "This patient has enrolled as many passkeys here as can be."
    /// None that could sign.
    NO_PASSKEY CONFLICT "no-passkey" "The patient has no passkey that stands."
        "您还没有可以使用的通行密钥。请到窗口登记。"
        "You have no passkey yet. Please enrol one at the desk."
    /// No scan.
    PAPER_KIND UNSUPPORTED_MEDIA_TYPE "paper-kind" "A scan is a PDF, JPEG or PNG of at most 20 MiB."
        "扫描件须为 PDF、JPEG 或 PNG，不超过 20 MB。"
        "A scan is a PDF, JPEG or PNG file of at most 20 MB."
    /// It did not come whole.
    BROKE_OFF BAD_REQUEST "broke-off" "The file broke off or stood still: nothing of it is kept."
        "文件没有传完，没有保留。请重新上传。"
        "The file did not arrive whole and nothing of it was kept. Please send it again."
    /// No more of them.
    PAPERS_FULL CONFLICT "papers-full" "No more papers of this patient are taken."
        "该患者的扫描件已满，不能再添加。"
        "No more scans of this patient can be added."
    /// Nobody speaks for somebody who has died.
    DEAD CONFLICT "dead" "The patient has died, as a desk has recorded."
        "窗口已登记该患者死亡，不能再授权，也不能登记通行密钥。登记有误的，请先在窗口更正。"
        "A desk has recorded that the patient has died: nothing more can be permitted. If that is wrong, correct it at the desk first."
    /// A login alone does not permit any more.
    UNSIGNED CONFLICT "unsigned" "A passkey has to sign it."
        "您登记过通行密钥，放宽授权要用通行密钥确认。设备不在身边的，请带证件到窗口办理。"
        "You have enrolled a passkey: what permits more is confirmed by it, or at the desk."
    /// A signature that proves nothing.
    PASSKEY_FAILED FORBIDDEN "passkey-failed" "What the passkey signed proves nothing."
        "通行密钥没有通过验证，没有登记任何内容。请重试；再次出现的，请到窗口办理。"
        "The passkey could not be verified; nothing was recorded. Please try again, or go to the desk."
    /// Too late, or another one was begun.
    CHALLENGE_OVER CONFLICT "challenge-over" "The challenge is over."
        "确认已超时，或者在别处又开始了一次，没有登记任何内容。请重新操作。"
        "This took too long, or was begun again elsewhere; nothing was recorded. Please start again."
    /// There is no glass to break.
    NO_EMERGENCY FORBIDDEN "no-emergency" "The region knows no emergency access."
        "本地区没有开通紧急查阅。请联系科主任，或由转诊、就诊关系打开病历。"
        "The region knows no emergency access. Please ask the head of the department."
    /// The glass is whole.
    EMERGENCY_FIRST CONFLICT "emergency-first" "The glass has to be broken over this patient first."
        "请先说明抢救理由，开始紧急查阅；已经开始的，期限可能已过，请重新说明。"
        "Please give the reason of the emergency first; if you did, its time may be over."
    /// Sealed.
    SEALED LOCKED "sealed" "The record is sealed."
        "这份病历已封存，只有医务科指定的复核人员可以打开。此次尝试已记录。如需查阅，请联系医务科。"
        "The record is sealed: only who was named by the office of medical affairs may open it. This attempt was written down."
    /// Sealed before, or not at all.
    SEALED_OR_NOT CONFLICT "sealed-or-not" "The record is sealed already, or is not sealed."
        "这份病历已经封存，或者封存已经解除。请刷新页面查看。"
        "The record is sealed already, or is not sealed any more. Please look again."
    /// Several patients have the number.
    AMBIGUOUS CONFLICT "ambiguous" "Several patients have this number."
        "这个号码对应多位患者，请改用身份证号或健康卡号。"
        "Several patients have this number. Please use the resident ID or the health card."
    /// Somebody else has to.
    SAME_PERSON FORBIDDEN "same-person" "Somebody else has to do this."
        "不能审核或解除自己的操作，请由医务科的另一位同事办理。"
        "Nobody judges or undoes what they did themselves. Please ask a colleague."
    /// Settled before, or never there.
    NOTHING_TO_JUDGE NOT_FOUND "nothing-to-judge" "Nothing of this id waits for a verdict."
        "没有这条待审核的记录，可能同事已经审核过了。"
        "Nothing of this id waits for a verdict; a colleague may have settled it."
    /// A byte range that there is not.
    RANGE RANGE_NOT_SATISFIABLE "range" "The document has no such bytes."
        "请求的范围超出文件长度。" "The requested range is not in the document."
}

/// A field that does not fit, with what it should be.
pub(super) fn unfit(field: &str, expected: &str) -> Problem {
    Problem::new(&kind::UNFIT_FIELD).field(field).detail(expected)
}

impl From<NotTaken> for Problem {
    fn from(error: NotTaken) -> Self {
        match error {
            NotTaken::Busy | NotTaken::Stopping => Self::new(&kind::UNAVAILABLE).retry_after(AGAIN),
            NotTaken::TooLong => Self::new(&kind::TOO_LARGE),
            NotTaken::Refused(refused) => of_refused(&refused),
        }
    }
}

pub(super) fn of_refused(refused: &Refused) -> Problem {
    match refused {
        Refused::UnknownPatient
        | Refused::NotSeen
        | Refused::NotYours
        | Refused::OtherToken
        | Refused::UnknownReferral
        | Refused::UnknownEntry => Problem::new(&NOT_SEEN),
        Refused::NoToken => Problem::new(&NO_TOKEN),
        Refused::TokensLater => Problem::new(&TOKENS_LATER),
        Refused::RegistryAway => Problem::new(&REGISTRY_AWAY).retry_after(AGAIN),
        Refused::Emergency => Problem::new(&EMERGENCY_FIRST),
        Refused::Reason => unfit("text", &refused.to_string()),
        Refused::NotAffairs => Problem::new(&kind::FORBIDDEN).detail(refused.to_string()),
        Refused::SealedOrNot => Problem::new(&SEALED_OR_NOT),
        Refused::TooManyReviewers => unfit("reviewers", &refused.to_string()),
        Refused::SamePerson => Problem::new(&SAME_PERSON),
        Refused::NothingToJudge => Problem::new(&NOTHING_TO_JUDGE),
        Refused::Act(error) | Refused::Form(error) => of_decode(error),
        Refused::Evidence
        | Refused::WrongTime
        | Refused::TooManyDocuments
        | Refused::TooManySteps
        | Refused::TooManyDecisions
        | Refused::DictionaryFull => Problem::new(&kind::UNFIT_FIELD).detail(refused.to_string()),
        Refused::NotThere | Refused::Changed => Problem::new(&STATE),
        Refused::NotOpen(_) => Problem::new(&DECIDED),
        Refused::MergedTooOften => Problem::new(&MERGED_TOO_OFTEN),
        Refused::SentBefore => Problem::new(&SENT_BEFORE),
        Refused::FiledBefore => Problem::new(&FILED_BEFORE),
        Refused::NumberTaken => Problem::new(&NUMBER_TAKEN),
        Refused::NoSuchMember => Problem::new(&NO_MEMBER),
        Refused::NoPasskeys => Problem::new(&NO_PASSKEYS),
        Refused::PasskeyKnown => Problem::new(&PASSKEY_KNOWN),
        Refused::PasskeyUnknown => Problem::new(&PASSKEY_UNKNOWN),
        Refused::PasskeyRevoked => Problem::new(&PASSKEY_REVOKED),
        Refused::PasskeyWaiting => Problem::new(&PASSKEY_WAITING).retry_after(AGAIN),
        Refused::TooManyPasskeys => Problem::new(&PASSKEYS_FULL),
        Refused::NoPasskey => Problem::new(&NO_PASSKEY),
        Refused::Unsigned => Problem::new(&UNSIGNED),
        Refused::Dead => Problem::new(&DEAD),
        Refused::TooManyPapers => Problem::new(&PAPERS_FULL),
        Refused::Passkey(error) => of_passkey(*error),
        Refused::NoPatient
        | Refused::OtherPerson
        | Refused::SeveralPatients
        | Refused::DepositFiled
        | Refused::UnknownRelease
        | Refused::Widens
        | Refused::TooManyNotices
        | Refused::Withdrawn
        | Refused::List(_) => Problem::internal(refused),
    }
}

/// What a passkey signed and made, and does not prove. Another challenge is one of an earlier try.
pub(super) fn of_passkey(error: PasskeyError) -> Problem {
    let kind = if error == PasskeyError::Challenge { &CHALLENGE_OVER } else { &PASSKEY_FAILED };
    Problem::new(kind).detail(error.to_string())
}

/// A word that cannot be said because of what was typed.
fn of_decode(error: &DecodeError) -> Problem {
    Problem::new(&kind::UNFIT_FIELD).detail(error.to_string())
}

impl From<CallFailed> for Problem {
    fn from(error: CallFailed) -> Self {
        match &error {
            CallFailed::Refused(refusal) => of_refusal(refusal),
            CallFailed::NoRegistry | CallFailed::NoMember(_) | CallFailed::Link(_) => {
                Self::new(&REGISTRY_AWAY).retry_after(AGAIN)
            }
            CallFailed::Decode(_) | CallFailed::Unbelieved(_) => Self::internal(&error),
        }
    }
}

fn of_refusal(refusal: &Refusal) -> Problem {
    if refusal.code == RefusalCode::Busy {
        return Problem::new(&REGISTRY_AWAY).retry_after(refusal.retry_after.unwrap_or(AGAIN));
    }
    Problem::new(&REGISTRY_REFUSED).detail(refusal.to_string())
}

/// A document that is not opened.
pub(super) fn of_denial(denial: &Denial) -> Problem {
    match denial {
        Denial::NotHere => Problem::new(&NOT_HERE),
        Denial::NotFiled => Problem::new(&NOT_FILED),
        Denial::Withdrawn => Problem::new(&WITHDRAWN),
        Denial::Sight(_) => Problem::new(&NOT_SEEN),
        Denial::Consent("D-12") => Problem::new(&SEALED),
        Denial::Consent("F-5" | "F-7") => Problem::new(&NO_LEASE).retry_after(AGAIN),
        Denial::Consent(clause) => Problem::new(&DENIED).detail(*clause),
    }
}

#[cfg(test)]
mod tests {
    use yiqiao_node_core::sight::NoSight;

    use super::*;

    #[test]
    fn what_is_unknown_and_what_is_not_allowed_look_the_same() {
        let unknown: Problem = NotTaken::Refused(Refused::UnknownPatient).into();
        let hidden: Problem = NotTaken::Refused(Refused::NotSeen).into();
        assert_eq!(format!("{unknown:?}"), format!("{hidden:?}"));
        assert_eq!(of_denial(&Denial::Sight(NoSight::BreakTheGlass)).kind(), unknown.kind());
    }

    #[test]
    fn f7_what_cannot_be_decided_yet_is_to_be_tried_again() {
        for clause in ["F-5", "F-7"] {
            assert_eq!(of_denial(&Denial::Consent(clause)).kind().status, 503);
        }
        assert_eq!(of_denial(&Denial::Consent("D-7")).kind().status, 403);
    }
}
