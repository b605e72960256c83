/** The patient at a phone: sees who may see what, takes it back, and reads who has been there. The doctors see the effect. */

import assert from 'node:assert/strict';
import { PHONE } from './person.mjs';
import { documents } from './received.mjs';

const CHOSEN = 'a-quiet-river-2026';
/** What the record does not say and the form requires. */
const AGAIN = { 初步印象: '不稳定型心绞痛', 转出原因: '术后复查，请继续随访。', 医生联系电话: '0999-61000001' };

export async function revocation(stage) {
  const { region } = stage;
  const patient = region.patient('referred');
  const account = await isGivenAnAccount(stage, patient);
  const phone = await signsInFirst(stage, account);
  await takesBack(stage, phone, region.hospital('C').name);
  await doctorLoses(stage, patient);
  await readsTheLog(stage, phone, region.hospital('C').name);
  await deskReadsTheLog(stage, patient);
  await refersAgain(stage, patient);
}

async function isGivenAnAccount(stage, patient) {
  const desk = await stage.staff('A', 'desk');
  await desk.finds(patient);
  let account;
  await stage.station('patient-account', desk, async () => {
    await desk.press('开通患者账号');
    await desk.press('已核对，开通');
    const [login, password] = await (await desk.sees(desk.dialog().locator('table'))).locator('b').allTextContents();
    account = { login, password };
  });
  await desk.press('已交给患者，关闭');
  return account;
}

async function signsInFirst(stage, account) {
  const phone = await stage.open(`${stage.region.hospital('A').url}/patient`, PHONE);
  await stage.station('patient-chooses-password', phone, async () => {
    assert.equal(await phone.page.title(), '医桥 · 我的健康授权');
    assert.equal(await phone.page.locator('html').getAttribute('lang'), 'zh-CN');
    await phone.signIn(account);
    await phone.sees('请设置新密码');
  });
  await phone.fill('当前密码', account.password);
  await phone.fill('新密码', CHOSEN);
  await phone.fill('再次输入新密码', CHOSEN);
  await phone.press('保存新密码');
  await phone.seesHeading('谁可以看我的病历');
  return phone;
}

async function takesBack(stage, phone, who) {
  await stage.station('patient-consents', phone, async () => {
    await phone.seesHeading(`${who}可以查看您在其他医院的病历`);
    await phone.sees(phone.page.locator('.explain').getByText('能看').first());
  });
  await stage.station('patient-revokes', phone, async () => {
    await phone.press('撤回同意');
    await phone.sees(phone.dialog().getByText('对方已打开的病历会保留在对方病历中'));
    await phone.sees(phone.dialog().getByText(`${who}看病时：从`));
  });
  await stage.station('patient-has-revoked', phone, async () => {
    await phone.press('确认撤回');
    await phone.sees('已撤回，立即生效');
    await phone.sees('您现在没有同意任何医院查看您在其他医院的病历');
    // What was said stays to be read, with when it ended and where.
    const ended = await phone.sees(phone.page.locator('.card.over').filter({ hasText: `曾同意${who}查看` }).first());
    assert.match(await ended.textContent(), /年\d+月\d+日 已撤回（在.+办理）/);
  });
}

async function doctorLoses(stage, patient) {
  const { region } = stage;
  const doctor = await stage.staff('C', region.doctorOf('walkin', 'C').login);
  await stage.station('retained-and-erased', doctor, async () => {
    await doctor.follow(patient.name);
    for (const letter of ['A', 'B']) await doctor.seesAtLast(() => documents(doctor, region, letter, '已留存'));
    await doctor.seesAtLast(() => doctor.page.getByRole('listitem').filter({ hasText: '已清除' }));
    await doctor.sees('外院资料可能不全');
    for (const state of ['已到达', '已打开', '可获取']) {
      for (const letter of ['A', 'B']) assert.equal(await documents(doctor, region, letter, state).count(), 0, `${letter} ${state}`);
    }
  });
  await stage.station('erased-document', doctor, async () => {
    await doctor.page.getByRole('listitem').filter({ hasText: '已清除' }).first().getByRole('link').click();
    await doctor.sees('患者撤回授权后，这份未打开的资料已被清除。');
  });
}

async function readsTheLog(stage, phone, who) {
  await stage.station('patient-access-log', phone, async () => {
    await phone.follow('谁看过');
    await phone.seesHeading('谁看过我的病历');
    await phone.seesAtLast(() => phone.page.locator('.event').filter({ hasText: who }));
    // C has answered: what it opened stays there, the rest is gone.
    await phone.seesAtLast(() => phone.page.locator('.answered').filter({ hasText: who }).filter({ hasText: '已清除' }).filter({ hasText: '留存' }));
  });
  await stage.station('patient-reads-who-was-here', phone, async () => {
    await phone.page.getByText('本院内部', { exact: true }).click();
    await phone.sees(phone.page.locator('.event').filter({ hasText: '查看完整号码' }).first());
  });
  await stage.station('patient-compares-what-is-listed', phone, async () => {
    await phone.page.getByText('平台登记', { exact: true }).click();
    await phone.sees(phone.page.locator('.event').filter({ hasText: '与该医院的回执一致' }).first());
  });
  await stage.station('patient-help', phone, async () => {
    await phone.follow('帮助');
    await phone.seesHeading('常见问题');
  });
}

async function deskReadsTheLog(stage, patient) {
  const { region } = stage;
  const doctor = await stage.staff('A', region.doctorOf('referred', 'A').login);
  await doctor.follow(patient.name);
  await stage.station('access-log', doctor, async () => {
    await doctor.page.getByRole('tab', { name: '访问记录' }).click();
    await doctor.seesAtLast(() => doctor.page.getByRole('row', { name: region.hospital('C').name }));
  });
  await stage.station('own-audit', doctor, async () => {
    await doctor.page.getByText('本院审计', { exact: true }).click();
    await doctor.sees(doctor.page.getByRole('columnheader', { name: '序号' }));
  });
}

/** Without consent: the form goes, and A refuses C the documents. */
async function refersAgain(stage, patient) {
  const { region } = stage;
  const doctor = await stage.staff('A', region.doctorOf('referred', 'A').login);
  await stage.station('referred-again', doctor, async () => {
    await doctor.follow(patient.name);
    await doctor.follow('发起转诊');
    await doctor.choose('转入医院', region.hospital('C').name);
    await doctor.choose('转入科室', '心血管内科');
    await doctor.press('从病历填入');
    await doctor.sees('已填入 4 栏，请核对');
    for (const [label, text] of Object.entries(AGAIN)) await doctor.fill(label, text);
    await doctor.press('发送转诊');
    await doctor.sees(doctor.page.locator('.view-head').getByText('已送达'));
    await doctor.sees('心血管内科');
  });
}
