/** A doctor at A refers a patient to C: the record, the form, the consent at the desk, sending; C accepts and files. */

import assert from 'node:assert/strict';

/** What the doctor writes before the record fills the rest, and after. */
const OWN = { 初步印象: '不稳定型心绞痛，左前降支近段重度狭窄' };
const FORM = {
  转出原因: '冠脉CTA提示左前降支近段重度狭窄，需行冠状动脉造影及介入治疗，请安排心血管内科。',
  下一步治疗方案及康复建议: '尽早行冠状动脉造影，酌情支架植入。',
  医生联系电话: '0999-61000001',
};

export async function referral(stage) {
  const { region } = stage;
  const patient = region.patient('referred');
  const to = region.hospital('C');
  const doctor = await atTheDoctor(stage, patient);
  await writes(stage, doctor, patient, to);
  await consentsAtTheDesk(stage, patient, to);
  await sends(stage, doctor, patient);
  await isAccepted(stage, patient);
  await stage.station('referral-accepted-at-a', doctor, async () => {
    // The box has been open since the referral was sent: it changes by itself.
    await doctor.sees(doctor.page.getByRole('row', { name: patient.name }).getByText('已接受'));
  });
}

async function atTheDoctor(stage, patient) {
  const account = stage.region.doctorOf('referred', 'A');
  const doctor = await stage.open(stage.region.hospital('A').url);
  await stage.station('sign-in', doctor, async () => {
    await doctor.seesHeading('医生工作站');
    assert.equal(await doctor.page.title(), '医桥 · 医生工作站');
    assert.equal(await doctor.page.locator('html').getAttribute('lang'), 'zh-CN');
  });
  await stage.station('my-patients', doctor, async () => {
    await doctor.signIn(account);
    await doctor.seesHeading('我的患者');
    await doctor.sees(doctor.page.getByRole('link', { name: patient.name }));
  });
  await stage.station('find', doctor, async () => {
    await doctor.follow('查找患者');
    await doctor.page.getByText('身份证号', { exact: true }).click();
    await doctor.fill('身份证号', patient.residentId);
    await doctor.press('查找');
    await doctor.sees('找到 1 位患者');
  });
  await stage.station('own-record', doctor, async () => {
    await doctor.follow(patient.name);
    await doctor.seesHeading(patient.name);
    await doctor.sees(doctor.page.getByRole('note', { name: '资料范围' }));
    await doctor.sees(doctor.page.getByRole('listitem').first());
    assert.equal(await doctor.page.getByText(patient.residentId).count(), 0, 'identifiers are masked');
  });
  await stage.station('number-revealed', doctor, async () => {
    await doctor.press('查看完整号码');
    await doctor.sees(doctor.page.getByText(patient.residentId));
  });
  return doctor;
}

async function writes(stage, doctor, patient, to) {
  await stage.station('referral-form', doctor, async () => {
    await doctor.follow('发起转诊');
    await doctor.seesHeading(`${patient.name}的转诊单`);
    await doctor.choose('转入医院', to.name);
    await doctor.sees('尚未登记患者对该医院提供所选资料的知情同意');
    await doctor.page.getByText('加急', { exact: true }).click();
    await doctor.page.getByRole('heading', { name: `${patient.name}的转诊单` }).scrollIntoViewIfNeeded();
  });
  await stage.station('referral-prefilled', doctor, async () => {
    for (const [label, text] of Object.entries(OWN)) await doctor.fill(label, text);
    await doctor.press('从病历填入');
    await doctor.sees('已填入 3 栏，请核对');
    assert.match(await doctor.written('主要现病史'), /^主诉：阵发性胸痛3天，加重2小时\n现病史：3天来活动后/);
    assert.match(await doctor.written('主要既往史'), /2型糖尿病6年/);
    assert.match(await doctor.written('治疗经过'), /\d{4}-\d\d-\d\d \S+ .*↑/);
    for (const [label, text] of Object.entries(OWN)) assert.equal(await doctor.written(label), text, 'what was written stays');
  });
  await stage.station('referral-prefill-source', doctor, async () => {
    await doctor.page.locator('.taken-from').first().getByRole('button').first().click();
    await doctor.seesDocument(patient.name);
  });
  await stage.station('referral-prefill-undone', doctor, async () => {
    await doctor.press('关闭资料');
    await doctor.press('撤销填入');
    assert.equal(await doctor.written('主要现病史'), '');
    for (const [label, text] of Object.entries(OWN)) assert.equal(await doctor.written(label), text);
    await doctor.press('从病历填入');
    await doctor.sees(doctor.page.locator('.taken-from').first());
    for (const [label, text] of Object.entries(FORM)) await doctor.fill(label, text);
  });
  await sessionEnds(stage, doctor);
  await stage.station('referral-documents', doctor, async () => {
    const boxes = doctor.page.locator('.choose');
    assert.ok(await boxes.count() >= 3, 'there are documents to choose from');
    await boxes.last().getByRole('checkbox').uncheck();
    await doctor.press('查看', boxes.first());
    await doctor.seesDocument(patient.name);
  });
  await stage.station('referral-draft', doctor, async () => {
    await doctor.press('关闭资料');
    await doctor.press('保存草稿');
    await doctor.sees('草稿已保存');
  });
}

/** What is written and not saved outlives the session, and is not left without a question. */
async function sessionEnds(stage, doctor) {
  const asItWas = async () => {
    for (const [label, text] of Object.entries({ ...OWN, ...FORM })) assert.equal(await doctor.written(label), text);
  };
  await stage.station('referral-session-over', doctor, async () => {
    await doctor.page.context().clearCookies();
    await doctor.press('保存草稿');
    await doctor.sees('登录已结束，没有保存的内容还在');
  });
  await stage.station('referral-restored', doctor, async () => {
    await doctor.signIn(stage.region.doctorOf('referred', 'A'));
    await doctor.sees('已恢复您没有保存的内容');
    await asItWas();
    doctor.forgives(/401/);
  });
  await stage.station('referral-back-asks', doctor, async () => {
    const asked = new Promise((resolve) => doctor.page.once('dialog', (dialog) => dialog.dismiss().then(() => resolve(dialog.message()))));
    await doctor.page.goBack();
    assert.equal(await asked, '填写的内容还没有保存，确定离开吗？');
    await asItWas();
  });
}

async function consentsAtTheDesk(stage, patient, to) {
  const desk = await stage.staff('A', 'desk');
  await desk.finds(patient);
  await stage.station('consent-choice', desk, async () => {
    await desk.sees('您的岗位只能办理知情同意，不能查看病历。');
    await desk.follow('登记知情同意');
    await desk.choose('接收方医院', to.name);
    await desk.sees('联系方式：');
  });
  await stage.station('consent-notice', desk, async () => {
    await desk.press('下一步：告知书');
    const notice = await desk.sees(desk.page.locator('article.notice'));
    assert.match(await notice.textContent(), new RegExp(to.name));
  });
  await desk.printout(stage.picture('consent-notice-printed'));
  await stage.station('consent-recorded', desk, async () => {
    await desk.press('患者已签字，下一步');
    await desk.fill('签字单编号', '2026-000123');
    await desk.choose('如何核对身份', '身份证原件');
    await desk.press('登记，立即生效');
    await desk.sees('已登记，立即生效');
  });
  await stage.station('consents', desk, async () => {
    await desk.follow('返回');
    await desk.sees(desk.page.getByRole('row', { name: to.name }).getByText('有效'));
  });
}

async function sends(stage, doctor, patient) {
  await stage.station('draft-in-sent-box', doctor, async () => {
    await doctor.follow('转诊发件箱');
    await doctor.sees(doctor.page.getByRole('row', { name: patient.name }).getByText('草稿'));
  });
  await stage.station('referral-consented', doctor, async () => {
    await doctor.follow(patient.name);
    await doctor.follow('继续填写');
    await doctor.sees('患者已同意向该医院提供所选资料');
    assert.equal(await doctor.page.getByLabel('转出原因').inputValue(), FORM.转出原因);
  });
  await stage.station('referral-sent', doctor, async () => {
    await doctor.press('发送转诊');
    await doctor.seesHeading(`${patient.name}的转诊`);
    // By itself: nobody reloads the page.
    await doctor.sees(doctor.page.locator('.view-head').getByText('已送达'));
  });
  await stage.station('sent-box', doctor, async () => {
    await doctor.follow('转诊发件箱');
    await doctor.sees(doctor.page.getByRole('row', { name: patient.name }).getByText('已送达'));
  });
}

async function isAccepted(stage, patient) {
  const office = await stage.staff('C', 'referral');
  await stage.station('inbox', office, async () => {
    await office.follow('转诊收件箱');
    await office.sees(office.page.getByRole('row', { name: patient.name }).getByText('加急'));
  });
  await stage.station('referral-received', office, async () => {
    await office.follow(patient.name);
    await office.sees(FORM.转出原因);
    await office.sees('患者已同意提供资料');
    await office.sees('待分派');
  });
  const doctor = stage.region.doctorOf('walkin', 'C');
  await stage.station('referral-accepting', office, async () => {
    await office.press('接受');
    await office.sees('转诊单没有指定科室');
    await office.choose('接诊医生', doctor.name);
    await office.fill('说明', '请尽快转来，已预留床位。', office.dialog());
  });
  await stage.station('referral-accepted', office, async () => {
    await office.press('确认', office.dialog());
    await office.sees(office.page.locator('.view-head').getByText('已接受'));
    await office.sees(doctor.name);
  });
  await stage.station('filing', office, async () => {
    await office.press('核对身份并归档');
    await office.sees('转诊单上的患者');
    await office.fill('新建患者，病案号', 'C7700012345', office.dialog());
    await office.page.getByLabel('我已当面核对患者证件，确认是本人').check();
  });
  await stage.station('filed', office, async () => {
    await office.press('确认归档');
    await office.sees(office.page.getByRole('link', { name: '打开患者病历' }));
  });
}
