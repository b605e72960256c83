/** Chinese texts of the bureau's page. */

export const T = {
  title: '交换监管',
  nav: { volume: '交换量', members: '成员机构', status: '平台状态', menu: '导航' },

  volume: {
    title: '交换量',
    range: '日期范围', by: { hour: '按小时', day: '按天' }, presets: { today: '今天', week: '近 7 天', month: '近 30 天', quarter: '近 90 天' },
    organisation: '全部机构', act: '全部事项', purpose: '全部用途', class: '全部类别', outcome: '全部结果',
    live: '自动刷新',
    export: '导出 CSV',
    zone: (zone: string) => `时间按${zone === 'Asia/Shanghai' ? '北京时间' : zone}统计`,
    since: (at: string) => `自 ${at} 起开始统计；此前没有数据，不等于没有发生。`,
    neverCounted: '尚未开始统计：没有数据，不等于没有发生。',
    beforeSince: '所选范围的一部分早于开始统计的时间，这部分没有数据。',
    numbers: { exchangedDocuments: '交换文档数', exchangedBytes: '交换数据量', events: '事件数', publication: '登记索引', denied: '拒绝', failed: '失败' },
    deniedShare: (share: string) => `占访问决定的 ${share}`,
    chart: (what: string) => `${what}随时间变化的柱状图，数据见下表`,
    measure: { events: '事件数', documents: '交换文档数', bytes: '交换数据量（MB）' },
    rows: '分机构明细',
    columns: { organisation: '机构', counterpart: '对方机构', act: '事项', outcome: '结果', purpose: '用途', class: '类别', events: '事件数', documents: '文档数', bytes: '数据量' },
    empty: '所选范围内没有发生过交换',
    emptyHelp: '请放宽日期范围或清除筛选。',
    clear: '清除筛选',
    definition: (name: string) => `“${name}”的定义`,
    definitions: '指标定义', otherDefinitions: { search: '检索', totals: '合计', countedSince: '开始统计的时间', openMinutes: '受理时长（分钟）', smallCells: '小数目的处理' },
    denials: '有拒绝',
    total: (n: string) => `共 ${n} 行`,
    rangeMax: '按小时最多查看 31 天，已改为按天',
    allMembers: '—',
  },

  members: {
    title: '成员机构',
    columns: { name: '机构', code: '代码', roles: '职能', contact: '联系方式', connection: '连接', state: '状态', selfVouched: '自证授权' },
    connected: '在线', away: '未连接', itself: '本平台', suspended: '已暂停', active: '正常',
    suspendedHelp: '暂停的机构不能收发任何资料，已登记的索引保留。',
    selfVouchedHelp: '患者用通行密钥签署、允许该机构查看病历，而为这把密钥作证的只有该机构自己的授权件数。患者本人会得到提示；数量异常的，请核查该机构的窗口登记。',
    counts: (connected: number, all: number) => `${connected} 家在线，共 ${all} 家`,
  },

  status: {
    title: '平台状态',
    words: '日志条数', wordsHelp: '登记平台已接受并写入防篡改日志的记录总数。',
    term: '任期', termHelp: '每次由新的登记进程接管时加一，用过的任期不再使用。',
    checkpoint: '最近检查点', checkpointHelp: '平台对全部日志签名的时间；各机构据此核对日志没有被改写。',
    connected: '在线机构',
    never: '还没有检查点', stale: '超过 1 小时没有新的检查点。若这段时间有新记录，请联系平台运维。',
    noneConnected: '目前没有机构在线',
  },
};
