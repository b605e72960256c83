//! What each figure of a volume answer means, in Chinese and English.

use serde::Serialize;

/// A figure and its definition.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Definition {
    name: &'static str,
    zh: &'static str,
    en: &'static str,
}

const fn definition(name: &'static str, zh: &'static str, en: &'static str) -> Definition {
    Definition { name, zh, en }
}

/// All definitions, in the order in which the figures stand in an answer.
pub(crate) const DEFINITIONS: &[Definition] = &[
    definition(
        "exchangedDocuments",
        "由一家机构提供、另一家机构已收到的文档份数（事项为“送达”、结果为“允许”）。登记、拒绝、查阅不计；已提供而未收到的不计；同一文档由两家机构收到计两次。",
        "Documents that one organisation released and another has received: act `delivery`, outcome `permitted`. Registrations, refusals and openings are not among them, nor what was released and has not arrived. A document that arrived at two organisations counts twice.",
    ),
    definition(
        "exchangedBytes",
        "上述已收到文档的字节数之和。",
        "The sum of the sizes of these delivered documents in bytes.",
    ),
    definition(
        "events",
        "该时段内登记到日志的事件数，按区域平台受理时间归入小时；同一事件重复提交只计一次，被平台退回的提交不计；患者一次授权或撤回按其多个标识登记的，只计一次。",
        "Events that entered the log, in the hour in which the registry accepted them. A repeat counts once; what the registry turned back does not count. A consent or revocation that is recorded under several tokens of the patient counts once.",
    ),
    definition(
        "documents",
        "该行事件涉及的文档份数；检索、授权、转诊步骤等不涉及文档的事件为0。同一文档的登记、调出、送达、查阅各成一行，不同事项的份数不可相加。",
        "Documents that the events of a row are about; 0 for events without documents, such as searches, directives and referral steps. A document stands in the rows of its publication, release, delivery and opening: do not add these up.",
    ),
    definition(
        "bytes",
        "该行文档的字节数之和，以登记方声明的文档大小为准；不同事项的字节数不可相加。",
        "The sum of the sizes of the documents of a row in bytes, as their publishers state them. Do not add up those of several acts.",
    ),
    definition(
        "organisation",
        "上报该事件的机构；检索和患者首次建档由区域平台上报。",
        "The organisation that reported the event. Searches and first filings are reported by the registry.",
    ),
    definition(
        "counterpart",
        "事件的另一方机构：调出和送达的对方、检索的发起方；没有另一方时为空。",
        "The other organisation: the other side of a release or delivery, the asker of a search. Empty if there is none.",
    ),
    definition(
        "class",
        "文档大类；事件不涉及文档或涉及多个大类时为空。",
        "The class of the documents. Empty if there are none, or of several classes.",
    ),
    definition(
        "publication",
        "登记到区域索引的文档份数；登记只告知区域有此文档，文档本身仍在原机构。",
        "Documents registered in the region's index. A registration says that there is a document; the document stays where it is.",
    ),
    definition(
        "denied",
        "结果为“拒绝”的事件：按患者授权或区域规则判定不得提供，属正常业务结果。",
        "Events that ended in a refusal by the patient's directives or the region's rules, which is a regular result.",
    ),
    definition(
        "failed",
        "结果为“失败”的事件：判定之前出错。",
        "Events that ended in an error before a decision.",
    ),
    definition(
        "search",
        "每次检索对每个被检索患者标识计一次，翻页另计。",
        "Each search counts once for each patient token searched; every page of an answer counts anew.",
    ),
    definition(
        "totals",
        "全部时段、全部行按事件和结果的合计。",
        "The sum of all rows over the whole time, by act and outcome.",
    ),
    definition(
        "countedSince",
        "日志开始计数的时间；此前没有数据，而不是数量为0。",
        "When counting began. Before it there are no data, which is not the same as zero.",
    ),
    definition(
        "openMinutes",
        "该时段内日志开放受理的分钟数（误差约1分钟）；为0表示无数据，为空表示未知。",
        "Minutes of the bucket in which the log was open, to within about one minute. 0 means no data; null means unknown.",
    ),
    definition(
        "smallCells",
        "导出CSV时，1至4的数写作“<5”；事件数为1至4的行，文档数也写作“<5”，字节数留空。多份导出相减仍可能推出小数，导出文件不得公开。操作员可用 exact=true 导出原始数值。",
        "In a CSV export counts of 1 to 4 are written `<5`; where the events are 1 to 4, so are the documents, and the bytes are left empty. Subtracting exports may still reveal small counts: do not publish them. An operator exports exact figures by `exact=true`.",
    ),
];
