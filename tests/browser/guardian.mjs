/** A guardian who signs for the patient, the end of that, and what a desk records when a patient has died. */

import { PHONE } from './person.mjs';
import { Authenticator } from './passkey.mjs';

export async function guardian(stage) {
  const { region } = stage;
  const desk = await stage.staff('A', 'desk');
  await desk.finds(region.patient('referred'));
  const address = await givesACode(stage, desk);
  const phone = await stage.open(address, PHONE);
  await Authenticator.on(phone.page);
  await enrols(stage, phone);
  await permits(stage, phone, region.hospital('C').name);
  await endsGuardianship(stage, desk);
  await recordsDeath(stage, desk);
}

async function givesACode(stage, desk) {
  await desk.press('通行密钥');
  await stage.station('guardian-desk', desk, async () => {
    await desk.dialog().getByText('监护人', { exact: true }).click();
    await desk.sees('使用到哪一天为止（不填则一直有效）');
  });
  await desk.press('已核对，给患者一次性码');
  const code = await (await desk.sees(desk.dialog().locator('.enrolment b'))).textContent();
  return `${stage.region.hospital('A').url}/patient#enrol=${code.replaceAll(' ', '')}`;
}

async function enrols(stage, phone) {
  await stage.station('guardian-offered', phone, async () => phone.sees('您作为'));
  await phone.press('在这台设备上登记');
  await phone.sees('登记好了');
  await phone.press('去登录');
  await phone.press('用通行密钥登录');
  await stage.station('guardian-signed-in', phone, async () => {
    await phone.sees('的监护人，您好');
    await phone.seesHeading('谁可以看我的病历');
  });
}

async function permits(stage, phone, who) {
  await phone.press('同意一家医院查看');
  await phone.dialog().getByText(who, { exact: true }).click();
  await phone.press('下一步：看告知书');
  await phone.press('我已阅读，去确认');
  await stage.station('guardian-signs', phone, async () => phone.sees(phone.dialog().getByText('监护人代患者同意')));
  await phone.press('用通行密钥确认');
  await phone.sees('已登记，立即生效');
  await stage.station('guardian-passkey', phone, async () => {
    await phone.follow('通行密钥');
    await phone.sees(phone.page.locator('.card').getByText('监护人使用'));
  });
}

async function records(desk, what, papers) {
  await desk.page.getByRole('button', { name: '其他登记' }).click();
  await desk.page.getByRole('menuitem', { name: what }).click();
  for (const [label, text] of Object.entries({ 已核对的证件: '经办人身份证原件', ...papers })) await desk.fill(label, text);
}

async function endsGuardianship(stage, desk) {
  await desk.dialog().locator('.ant-modal-close').click();
  await desk.page.reload();
  await stage.station('guardianship-ends', desk, async () => records(desk, '监护关系终止', { 凭证编号: '（2026）桥01民特7号' }));
  await desk.press('确认终止');
  await desk.sees('已收回 1 项授权，停用 1 把通行密钥');
  await desk.page.getByRole('button', { name: '撤回', exact: true }).waitFor({ state: 'detached' });
}

async function recordsDeath(stage, desk) {
  await stage.station('death', desk, async () => {
    await records(desk, '登记死亡', { 凭证编号: '桥医死〔2026〕3 号' });
    await desk.page.getByLabel('死亡时间').fill('2026-01-02 03:04');
    await desk.page.keyboard.press('Enter');
    await desk.dialog().locator('input[type=file]').setInputFiles({ name: '死亡医学证明.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.7 scanned') });
    await desk.sees('已添加 死亡医学证明.pdf');
  });
  await desk.press('确认登记');
  await stage.station('death-recorded', desk, async () => {
    await desk.sees('窗口已登记：患者于 2026-01-02 03:04 死亡');
    await desk.sees('书面材料扫描件（1）');
  });
  await records(desk, '更正：患者在世', { 凭证编号: '更正 1' });
  await desk.press('确认更正');
  await desk.page.getByText('窗口已登记').waitFor({ state: 'detached' });
}
