//! What goes wrong at the door: one fact each, with its HTTP status, and as OperationOutcome in English and Chinese.
//!
//! Never patient data: values are not quoted, and names of parameters and elements only if they look like names.

use serde_json::{Value, json};
use yiqiao_proto::time::Millis;

use crate::limits::NAME_BYTES_MAX;
use crate::resource::Resource;

/// Why a request is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing of this type has this id, or the asker may not know that something has.
    #[error("there is no such {kind}: check the id")]
    NotFound {
        /// The type.
        kind: &'static str,
    },
    /// It was there and was withdrawn.
    #[error("this {kind} was withdrawn: search for what took its place")]
    Gone {
        /// The type.
        kind: &'static str,
    },
    /// A search parameter that this door does not have.
    #[error(
        "parameter {name} is not supported: remove it, or send Prefer: handling=lenient to have it ignored"
    )]
    ParameterUnknown {
        /// Its name.
        name: Name,
    },
    /// The value of a search parameter.
    #[error("parameter {name} is not valid: write {expected}")]
    ParameterInvalid {
        /// Its name.
        name: &'static str,
        /// What must stand there.
        expected: &'static str,
    },
    /// A search that would read everything.
    #[error("the search has no bound: give one of {parameters}")]
    Unbounded {
        /// The parameters of which one is needed.
        parameters: &'static str,
    },
    /// Not JSON.
    #[error("the body is not valid JSON at line {line}, column {column}: send FHIR JSON in UTF-8")]
    Json {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// An element without which a resource means nothing.
    #[error("{path} is missing: add it")]
    Missing {
        /// FHIR path.
        path: String,
    },
    /// The value of an element.
    #[error("{path} is not valid: it must be {expected}")]
    Invalid {
        /// FHIR path.
        path: String,
        /// What must stand there.
        expected: &'static str,
    },
    /// An element which means something that would not be done: it is not passed over.
    #[error("{path} would not be carried out: leave it out, or ask the operator of the node")]
    NotCarriedOut {
        /// FHIR path.
        path: String,
    },
    /// Above a bound of [`crate::limits`].
    #[error("{what} exceeds {limit}: send less")]
    TooLarge {
        /// What exceeds.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// Nobody is logged in, or the token has run out.
    #[error("log in: get a token and send it as Authorization: Bearer")]
    Login,
    /// The asker is known and may not do this.
    #[error("not permitted: ask the operator of the node for the scope, or the patient for consent")]
    Forbidden,
    /// The token is not good for this.
    #[error("the access token has no scope {scope}: ask the operator of the node for it")]
    Scope {
        /// What it would have to be good for.
        scope: String,
    },
    /// The patient, or the hospital for the patient, has not permitted it.
    #[error("not permitted ({clause}): it needs the patient's consent")]
    Consent {
        /// The clause of the protocol that decided.
        clause: &'static str,
    },
    /// It has changed meanwhile, or is in a state in which this cannot be done.
    #[error("{what}: read it again and decide anew")]
    Conflict {
        /// What is in the way.
        what: &'static str,
    },
    /// What `If-Match` demands does not hold, or is not said.
    #[error("the version does not match: read it again and send its ETag as If-Match")]
    Version,
    /// No byte of the range is in the document.
    #[error("the range is not satisfiable: the document has {size} bytes")]
    Range {
        /// Length of the document.
        size: u64,
    },
    /// What was handed in cannot be taken.
    #[error("it cannot be taken: {why}")]
    Refused {
        /// In words without patient data.
        why: String,
    },
    /// The registry has refused for good.
    #[error("the registry refused it under {clause}: read it again and decide anew")]
    RegistryRefused {
        /// The clause of the protocol.
        clause: String,
    },
    /// Too many requests.
    #[error("too many requests: try again in {} s", .retry_after.get().div_ceil(1_000))]
    Throttled {
        /// When to try again.
        retry_after: Millis,
    },
    /// A type, interaction or operation that this door does not have.
    #[error("{what} is not supported: read the CapabilityStatement at metadata")]
    NotSupported {
        /// What was asked.
        what: &'static str,
    },
    /// The request is not as HTTP or this door has it.
    #[error("the request cannot be read: write its address in UTF-8, with %25 for a percent sign")]
    Malformed,
    /// Sent to a name that is not one of the node's.
    #[error(
        "the node is not served under this host: use its own name, or have its operator add this one to http.hosts"
    )]
    Host,
    /// Sent from a page of another site.
    #[error("the request comes from a page of another site: send it from a program, without Origin")]
    Origin,
    /// A method that this address does not take.
    #[error("this method is not supported here: read the CapabilityStatement at metadata")]
    Method,
    /// A format that this door does not write.
    #[error("only application/fhir+json is supported: ask for it")]
    Format,
    /// A format that this door does not read.
    #[error("{expected} is expected: send it with this Content-Type")]
    MediaType {
        /// What is read here.
        expected: &'static str,
    },
    /// The length of a body that is streamed must be known before it.
    #[error("the length of the body is not given: send Content-Length")]
    Length,
    /// Not possible now: the registry or another member is away.
    #[error("not possible at the moment: try again later")]
    Transient,
    /// A fault of the node.
    #[error("the node failed: tell its operator the time of this request")]
    Internal,
}

/// A name that a client wrote, if it looks like one: what does not could be anything, a patient's number among it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Takes what a client wrote for a name.
    pub fn new(text: &str) -> Self {
        let letter =
            |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'.' | b':' | b'$');
        let formed = !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.bytes().all(letter);
        Self(if formed { text.to_owned() } else { "(not a name)".to_owned() })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is the same for every problem of one sort.
struct Sort {
    status: u16,
    /// FHIR IssueType.
    code: &'static str,
    chinese: &'static str,
}

impl Problem {
    /// The HTTP status to answer with.
    pub const fn status(&self) -> u16 {
        self.sort().status
    }

    /// The OperationOutcome to answer with.
    pub fn outcome(&self) -> Resource {
        let severity = if matches!(self, Self::Internal) { "fatal" } else { "error" };
        of_issues(&[self.issue(severity)])
    }

    fn issue(&self, severity: &str) -> Value {
        let (sort, text) = (self.sort(), self.to_string());
        // Some clients show the one text and some the other.
        json!({
            "severity": severity,
            "code": sort.code,
            "details": {
                "coding": [{"system": "urn:yiqiao:outcome", "code": self.slug(), "display": sort.chinese}],
                "text": text,
            },
            "diagnostics": text,
            "expression": self.expression().map(|path| [path]),
        })
    }

    /// The element or the parameter that is meant.
    fn expression(&self) -> Option<String> {
        match self {
            Self::Missing { path } | Self::Invalid { path, .. } | Self::NotCarriedOut { path } => {
                Some(path.clone())
            }
            Self::ParameterUnknown { name } => Some(format!("http.{name}")),
            Self::ParameterInvalid { name, .. } => Some(format!("http.{name}")),
            Self::NotFound { .. }
            | Self::Gone { .. }
            | Self::Unbounded { .. }
            | Self::Json { .. }
            | Self::TooLarge { .. }
            | Self::Login
            | Self::Forbidden
            | Self::Scope { .. }
            | Self::Consent { .. }
            | Self::Conflict { .. }
            | Self::Version
            | Self::Range { .. }
            | Self::Refused { .. }
            | Self::RegistryRefused { .. }
            | Self::Throttled { .. }
            | Self::NotSupported { .. }
            | Self::Malformed
            | Self::Host
            | Self::Origin
            | Self::Method
            | Self::Format
            | Self::MediaType { .. }
            | Self::Length
            | Self::Transient
            | Self::Internal => None,
        }
    }

    const fn sort(&self) -> Sort {
        let (status, code, chinese) = match self {
            Self::NotFound { .. } => (404, "not-found", "没有找到该资源，请核对标识"),
            Self::Gone { .. } => (410, "deleted", "该资源已撤回"),
            Self::ParameterUnknown { .. } => (400, "not-supported", "不支持该查询参数，请删除"),
            Self::ParameterInvalid { .. } => (400, "value", "查询参数的值无效，请更正"),
            Self::Unbounded { .. } => (403, "too-costly", "查询范围过大，请指定患者或标识"),
            Self::Json { .. } => (400, "structure", "请求内容不是有效的 JSON"),
            Self::Missing { .. } => (422, "required", "缺少必填元素，请补充"),
            Self::Invalid { .. } => (422, "value", "元素的值无效，请更正"),
            Self::NotCarriedOut { .. } => (422, "business-rule", "该元素无法执行，不能忽略，请删除"),
            Self::TooLarge { .. } => (413, "too-long", "内容过大，请减少后重试"),
            Self::Login => (401, "login", "请先登录"),
            Self::Forbidden => (403, "forbidden", "没有权限"),
            Self::Scope { .. } => (403, "forbidden", "访问令牌没有所需的权限范围"),
            Self::Consent { .. } => (403, "suppressed", "未获患者授权"),
            Self::Conflict { .. } => (409, "conflict", "状态已改变，请重新读取后再操作"),
            Self::Version => (412, "conflict", "版本不一致，请重新读取并在 If-Match 中给出版本"),
            Self::Range { .. } => (416, "value", "请求的范围超出文档长度"),
            Self::Refused { .. } => (422, "processing", "内容无法接收，请更正后重试"),
            Self::RegistryRefused { .. } => (409, "business-rule", "区域平台拒绝了该请求"),
            Self::Throttled { .. } => (429, "throttled", "请求过于频繁，请稍后重试"),
            Self::NotSupported { .. } => (404, "not-supported", "不支持该操作"),
            Self::Malformed => (400, "invalid", "请求无法识别，请检查地址的编码"),
            Self::Host => (421, "security", "访问地址未配置，请联系管理员"),
            Self::Origin => (403, "security", "请求来自其他网站的页面"),
            Self::Method => (405, "not-supported", "此地址不支持该方法"),
            Self::Format => (406, "not-supported", "仅支持 application/fhir+json"),
            Self::MediaType { .. } => (415, "not-supported", "不支持该内容类型"),
            Self::Length => (411, "required", "缺少 Content-Length，请给出内容长度"),
            Self::Transient => (503, "transient", "暂时无法完成，请稍后重试"),
            Self::Internal => (500, "exception", "节点内部故障，请联系管理员"),
        };
        Sort { status, code, chinese }
    }

    /// A code for programs, one for each sort.
    const fn slug(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not-found",
            Self::Gone { .. } => "gone",
            Self::ParameterUnknown { .. } => "parameter-unknown",
            Self::ParameterInvalid { .. } => "parameter-invalid",
            Self::Unbounded { .. } => "unbounded",
            Self::Json { .. } => "json",
            Self::Missing { .. } => "missing",
            Self::Invalid { .. } => "invalid",
            Self::NotCarriedOut { .. } => "not-carried-out",
            Self::TooLarge { .. } => "too-large",
            Self::Login => "login",
            Self::Forbidden => "forbidden",
            Self::Scope { .. } => "scope",
            Self::Consent { .. } => "consent",
            Self::Conflict { .. } => "conflict",
            Self::Version => "version",
            Self::Range { .. } => "range",
            Self::Refused { .. } => "refused",
            Self::RegistryRefused { .. } => "registry-refused",
            Self::Throttled { .. } => "throttled",
            Self::NotSupported { .. } => "not-supported",
            Self::Malformed => "malformed",
            Self::Host => "host",
            Self::Origin => "origin",
            Self::Method => "method",
            Self::Format => "format",
            Self::MediaType { .. } => "media-type",
            Self::Length => "length",
            Self::Transient => "transient",
            Self::Internal => "internal",
        }
    }
}

/// Says that everything was done, for an answer that has nothing else to say.
pub fn done() -> Resource {
    of_issues(&[information("完成", "done")])
}

/// Says that content is kept until a message names it.
pub fn deposited() -> Resource {
    of_issues(&[information(
        "内容已保存一天，等待 DocumentReference 引用",
        "kept for a day: name its Location in DocumentReference.content.attachment.url of a transaction",
    )])
}

/// Says that a message is kept for a person, who will settle what it means.
pub fn kept_for_review() -> Resource {
    of_issues(&[information(
        "已保存，待人工核对",
        "kept for a person to look at: it is not to be sent again",
    )])
}

/// Says that what a patient said is kept here, and that the registry has yet to take it.
pub fn queued() -> Resource {
    of_issues(&[information(
        "已在本院记录，正在提交区域平台",
        "recorded here and being handed in: it counts for others once the registry has taken it",
    )])
}

/// Says which parameters were passed over (`Prefer: handling=lenient`); goes into the searchset.
pub(crate) fn ignored(names: &[Name]) -> Resource {
    let text = |name: &Name| format!("parameter {name} is not supported and was ignored: remove it");
    let issue = |name: &Name| {
        json!({
            "severity": "warning",
            "code": "not-supported",
            "details": {
                "coding": [{"system": "urn:yiqiao:outcome", "code": "parameter-ignored", "display": "已忽略不支持的查询参数"}],
                "text": text(name),
            },
            "diagnostics": text(name),
            "expression": [format!("http.{name}")],
        })
    };
    of_issues(&names.iter().map(issue).collect::<Vec<_>>())
}

/// A remark that nothing went wrong.
pub(crate) fn information(chinese: &str, english: &str) -> Value {
    json!({
        "severity": "information",
        "code": "informational",
        "details": {
            "coding": [{"system": "urn:yiqiao:outcome", "code": "information", "display": chinese}],
            "text": english,
        },
        "diagnostics": english,
    })
}

pub(crate) fn of_issues(issues: &[Value]) -> Resource {
    Resource::new("OperationOutcome", None, json!({"issue": issues}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_parameter_is_named_with_what_to_do() {
        let problem = Problem::ParameterUnknown { name: Name::new("_has") };
        let text =
            "parameter _has is not supported: remove it, or send Prefer: handling=lenient to have it ignored";
        let expected = json!({
            "resourceType": "OperationOutcome",
            "issue": [{
                "severity": "error",
                "code": "not-supported",
                "details": {
                    "coding": [{
                        "system": "urn:yiqiao:outcome",
                        "code": "parameter-unknown",
                        "display": "不支持该查询参数，请删除",
                    }],
                    "text": text,
                },
                "diagnostics": text,
                "expression": ["http._has"],
            }],
        });
        assert_eq!(*problem.outcome().json().expose(), expected);
        assert_eq!(problem.status(), 400);
    }

    #[test]
    fn what_could_be_a_patients_number_is_not_taken_for_a_name() {
        for text in ["11010519491231002X", "张三", "", "a b", &"x".repeat(65)] {
            assert_eq!(Name::new(text).as_str(), "(not a name)", "{text}");
        }
        assert_eq!(Name::new("patient.identifier").as_str(), "patient.identifier");
    }

    #[test]
    fn a_wait_is_told_in_seconds_rounded_up() {
        let problem = Problem::Throttled { retry_after: Millis::new(1_200) };
        assert_eq!(problem.to_string(), "too many requests: try again in 2 s");
        assert_eq!(problem.status(), 429);
    }
}
