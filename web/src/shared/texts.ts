/** Chinese texts that more than one page needs: names of codes, failures, states. */

export const T = {
  none: '—',
  product: '医桥',
  zone: '北京时间',
  justNow: '刚刚',
  minutesAgo: (n: number) => `${n} 分钟前`,
  hoursAgo: (n: number) => `${n} 小时前`,
  daysAgo: (n: number) => `${n} 天前`,
  days: (n: number) => `${n} 天`,
  months: (n: number) => `${n} 个月`,
  years: (n: number) => `${n} 岁`,
  ageUnknown: '年龄不详',
  nameUnknown: '姓名未知',
  loading: '正在加载',
  retry: '重试',
  more: '加载更多',
  allShown: (n: number) => `已显示全部 ${n} 条`,
  cancel: '取消',
  back: '返回',
  all: '全部',
  refresh: '刷新',
  close: '关闭',
  skip: '跳到正文',
  leave: '填写的内容还没有保存，确定离开吗？',
  failedTitle: '没有加载成功',
  contradicted: {
    title: '区域平台的日志出现两个互相矛盾的版本',
    text: (at: string) => `本院于 ${at} 发现并保存了区域平台签名的证据。请立即告知信息科和卫生健康主管部门；在查清之前，平台上的记录可能缺失或被改写。`,
  },

  omitted: {
    title: '区域平台漏列了本院已登记的资料',
    text: (at: string) => `本院于 ${at} 发现：区域平台签名的清单里没有它先前已签收的资料。证据已保存，请告知信息科（命令 yiqiao-node status）和卫生健康主管部门；在查清之前，平台上的记录可能缺失。`,
  },

  failure: {
    unreachable: '无法连接到本院的医桥服务。请检查网络后重试；如仍不行，请联系信息科。',
    retryAfter: (seconds: number) =>
      seconds < 120 ? `请在 ${seconds} 秒后重试。` : `请在 ${Math.ceil(seconds / 60)} 分钟后重试。`,
    byStatus: (status: number): string => {
      if (status === 401) return '请先登录。';
      if (status === 403) return '您没有权限执行此操作。';
      if (status === 404) return '没有找到，或者您没有权限查看。';
      if (status === 409) return '内容已被他人更改，请刷新后重试。';
      if (status === 422) return '有一项内容不符合要求，请检查后重试。';
      if (status === 429) return '操作过于频繁。';
      return status >= 500 ? '系统繁忙，请稍后重试；如仍不行，请联系信息科。' : `操作没有成功（${status}）。`;
    },
    crashed: '页面出现错误',
    crashedHelp: '刚才的操作可能没有完成。请刷新页面；如果反复出现，请联系信息科。',
    reload: '刷新页面',
  },

  signIn: {
    login: '登录名',
    password: '密码',
    submit: '登录',
    needed: (what: string) => `请输入${what}`,
    changeTitle: '请设置新密码',
    changeHelp: '首次登录或密码到期后需要修改。至少 10 位，包含大写字母、小写字母、数字、其他字符中的三种（20 位以上不限）。',
    current: '当前密码',
    next: '新密码',
    again: '再次输入新密码',
    differ: '两次输入的新密码不一致',
    tooShort: '新密码至少 10 位',
    save: '保存新密码',
    out: '退出登录',
    kept: '登录已结束，没有保存的内容还在',
    keptHelp: '由您本人重新登录后可以继续填写；换人登录则会清除。',
    byPasskey: '用通行密钥登录',
    or: '或者用登录名',
    wrongPage: '此页面不对您的账号开放',
    wrongPageHelp: (who: string) => `您登录的是${who}账号。请前往对应的页面，或退出后换账号登录。`,
    goTo: '前往',
  },

  sex: { male: '男', female: '女', other: '其他', unknown: '性别不详' },
  identifier: { 'resident-id': '身份证号', 'health-card': '电子健康卡号', local: '本院病案号', outpatient: '门诊号', inpatient: '住院号', passport: '护照号', permit: '永久居留证号', 'travel-permit': '来往内地（大陆）通行证号', other: '其他证件' },
  visitClass: { inpatient: '住院', outpatient: '门诊', emergency: '急诊', other: '其他' },

  class: {
    summary: '病历概要', outpatient: '门急诊病历', inpatient: '住院病历', laboratory: '检验报告', examination: '检查报告',
    imaging: '影像', medication: '处方与用药', procedure: '手术与治疗', nursing: '护理记录', 'consent-form': '知情同意书',
    referral: '转诊与会诊', 'health-check': '体检与公卫', immunisation: '预防接种', certificate: '出生与死亡证明', finance: '费用', other: '其他',
  },
  end: { revoked: '已撤回', replaced: '已被新的登记替代', over: '已到期' },
  revocationReason: { 'patient-wish': '患者要求', error: '登记有误', death: '患者死亡', guardianship: '监护关系变更', 'lost-key': '密钥遗失' },
  purpose: {
    treatment: '诊疗', emergency: '紧急救治', 'patient-request': '本人查阅', payment: '费用结算', 'public-health': '公共卫生',
    quality: '质量与互认', research: '科研', operations: '运营管理',
  },
  sensitivity: { normal: '一般', restricted: '敏感', 'very-restricted': '高度敏感' },
  documentStatus: { final: '', preliminary: '初步结果', amended: '更正版' },
  personRole: {
    physician: '医生', nurse: '护士', 'referral-office': '转诊办', 'department-head': '科主任', pharmacist: '药师', technician: '技师',
    desk: '服务窗口', patient: '患者本人', guardian: '监护人', system: '系统',
    'medical-affairs': '医务科', doctor: '医生', head: '科主任', it: '信息科', bureau: '卫健部门', operator: '平台运维',
  },
  act: {
    publication: '登记索引', release: '对外提供', delivery: '收到资料', opening: '打开病历', consent: '登记授权', revocation: '撤回授权',
    'referral-step': '转诊', 'break-glass': '紧急查阅', erasure: '清除资料', retention: '保留病历', 'log-view': '查阅记录', search: '检索',
    'first-filing': '首次建档', withdrawal: '撤销文档', export: '导出证据',
  },
  emergencyReason: {
    unconscious: '昏迷或意识不清', 'life-in-danger': '生命垂危，须立即抢救', 'cannot-consent': '本人无法表示意见，又联系不到家属', 'many-hurt': '群体伤病或突发公共卫生事件',
  },
  sealReason: { dispute: '医疗纠纷', incident: '医疗安全事件', investigation: '司法或行政调查' },
  outcome: { permitted: '允许', denied: '拒绝', failed: '失败' },
  proof: { passkey: '本人通行密钥', 'attested-login': '本人登录操作', 'desk-witness': '窗口书面登记' },
  papers: {
    title: (count: number) => `书面材料扫描件（${count}）`,
    paper: (at: string) => `${at} 扫描`,
    add: '添加扫描件',
    added: (name: string) => `已添加 ${name}`,
    label: '签字单扫描件（PDF、JPEG 或 PNG，可不填）',
    help: '扫描件加密保存在本院，不会发给任何其他机构；登记时一并固定其指纹，患者可在自己的页面查看。',
  },
  passkeyStage: { waiting: '等待区域平台确认', stands: '可以使用', over: '已到期', refused: '没有登记成功', revoked: '已停用' },
  passkey: {
    cancelled: '没有确认（可能是取消了，或者这台设备上没有合适的通行密钥），没有登记任何内容。',
    known: '这台设备上已经有您的通行密钥，可以直接使用。',
    unsupported: '这个浏览器不支持通行密钥。请换用手机自带的浏览器，或更新浏览器。',
    unsuited: '这台设备不能保存通行密钥。请先设置锁屏密码、指纹或面容，或换一台设备。',
    address: '这个网址不能使用本地区的通行密钥。请从医院提供的网址进入。',
  },
  memberRole: { custodian: '医疗机构', registry: '登记平台', portal: '患者门户', bureau: '卫健部门' },
} satisfies Texts;

interface Texts {
  [name: string]: string | ((...args: never[]) => string) | Texts;
}
