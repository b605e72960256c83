/** A passkey of the patient's own: given at the desk, made on the phone, and what the patient signs with it. */

import assert from 'node:assert/strict';
import { PHONE } from './person.mjs';

export async function passkey(stage) {
  const { region } = stage;
  const patient = region.patient('referred');
  const who = region.hospital('C').name;
  const desk = await stage.staff('A', 'desk');
  await desk.finds(patient);
  const address = await givesACode(stage, desk);
  const phone = await stage.open(`${region.hospital('A').url}/patient`, PHONE);
  const authenticator = await Authenticator.on(phone.page);
  await enrols(stage, phone, address);
  await stage.station('passkey-enrolled', desk, async () => {
    await desk.sees('患者已登记好，可以使用。');
    await desk.sees(desk.dialog().getByRole('cell', { name: region.hospital('A').name }));
  });
  await signsIn(stage, phone);
  await permits(stage, phone, who, authenticator);
  await takesBack(stage, phone, who);
  await forbidsAll(stage, phone);
  await retires(stage, phone);
}

/** Chromium's own virtual authenticator: a phone that knows its user. */
export class Authenticator {
  #session;
  #id;

  static async on(page) {
    const session = await page.context().newCDPSession(page);
    await session.send('WebAuthn.enable');
    const options = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
    const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', { options });
    return new Authenticator(session, authenticatorId);
  }

  constructor(session, id) {
    this.#session = session;
    this.#id = id;
  }

  /** Whether the finger is the owner's. */
  async verifies(isUserVerified) {
    await this.#session.send('WebAuthn.setUserVerified', { authenticatorId: this.#id, isUserVerified });
  }
}

async function givesACode(stage, desk) {
  await stage.station('passkey-desk', desk, async () => {
    await desk.press('通行密钥');
    await desk.sees(desk.dialog().getByText('还没有登记'));
  });
  let code;
  await stage.station('passkey-code', desk, async () => {
    await desk.press('已核对，给患者一次性码');
    code = await (await desk.sees(desk.dialog().locator('.enrolment b'))).textContent();
    await desk.sees(desk.dialog().locator('.enrolment svg').first());
  });
  assert.match(code, /^\d{4} \d{4} \d{4}$/);
  return `${stage.region.hospital('A').url}/patient#enrol=${code.replaceAll(' ', '')}`;
}

async function enrols(stage, phone, address) {
  await stage.station('passkey-code-typed', phone, async () => {
    await phone.follow('我有窗口给的一次性码');
    await phone.fill('一次性码（12 位数字）', '0000 0000 0000');
    await phone.press('下一步');
    await phone.sees('一次性码不对，或者已经用过、已经过期。');
  });
  phone.forgives(/\/api\/enrolment\b.*404|status of 404/);
  await stage.station('passkey-offered', phone, async () => {
    await phone.page.goto(address);
    await phone.sees('以后用它登录，并确认谁可以看您的病历。');
    assert.equal(new URL(phone.page.url()).hash, '', 'the code stays in no history');
  });
  await stage.station('passkey-made', phone, async () => {
    await phone.press('在这台设备上登记');
    await phone.sees('登记好了');
  });
}

async function signsIn(stage, phone) {
  await stage.station('passkey-sign-in', phone, async () => {
    await phone.press('去登录');
    await phone.sees('或者用登录名');
  });
  await phone.press('用通行密钥登录');
  await phone.seesHeading('谁可以看我的病历');
}

/** Chooses the hospital and reads the notice; what is signed stands there before it is. */
async function permits(stage, phone, who, authenticator) {
  await stage.station('patient-permits', phone, async () => {
    await phone.press('同意一家医院查看');
    await phone.dialog().getByText(who, { exact: true }).click();
  });
  await stage.station('patient-reads-notice', phone, async () => {
    await phone.press('下一步：看告知书');
    await phone.sees('第二十三条');
  });
  await stage.station('patient-before-signing', phone, async () => {
    await phone.press('我已阅读，去确认');
    await phone.sees(phone.dialog().getByText('同意对方查看我的病历'));
    const shown = await phone.dialog().locator('.signed').textContent();
    for (const part of [who, '其他所有医院', '不含敏感资料', '诊疗', '24:00']) assert.ok(shown.includes(part), `${part} in ${shown}`);
  });
  await authenticator.verifies(false);
  await stage.station('patient-does-not-sign', phone, async () => {
    await phone.press('用通行密钥确认');
    await phone.sees('没有登记任何内容');
  });
  await authenticator.verifies(true);
  await phone.press('重新确认');
  await stage.station('patient-has-signed', phone, async () => {
    await phone.press('用通行密钥确认');
    await phone.sees('已登记，立即生效');
    const card = phone.page.locator('.card').filter({ hasText: `${who}可以查看您在其他医院的病历` });
    await phone.sees(card.getByText('由您本人用通行密钥签名'));
  });
}

async function takesBack(stage, phone, who) {
  await phone.press('撤回同意');
  await phone.press('确认撤回');
  await stage.station('patient-signs-revocation', phone, async () => {
    await phone.sees(phone.dialog().getByText('撤回：不再同意对方查看我的病历'));
    await phone.sees(phone.dialog().getByText(who));
  });
  await phone.press('用通行密钥确认');
  await phone.sees('已撤回，立即生效');
  await phone.sees('您现在没有同意任何医院查看您在其他医院的病历');
}

/** By passkey alone all can be forbidden at once, and lifted again (C-13). */
async function forbidsAll(stage, phone) {
  await stage.station('patient-forbids-all', phone, async () => {
    await phone.press('不允许某家医院查看');
    await phone.dialog().getByText('所有其他医院').click();
    await phone.sees('只有用通行密钥才能登记和取消。');
  });
  await phone.press('确认，不允许');
  await phone.sees(phone.dialog().getByText('任何其他医院'));
  await phone.press('用通行密钥确认');
  await phone.sees('不允许任何其他医院查看您在其他医院的病历');
  await phone.press('取消不允许');
  await phone.press('确认取消');
  await phone.sees(phone.dialog().getByText('取消“不允许对方查看我的病历”'));
  await phone.press('用通行密钥确认');
  await phone.sees('已取消，立即生效');
}

async function retires(stage, phone) {
  await stage.station('patient-passkeys', phone, async () => {
    await phone.follow('通行密钥');
    await phone.sees(phone.page.locator('.card').getByText('可以使用'));
  });
  await stage.station('patient-retires-passkey', phone, async () => {
    await phone.press('停用');
    await phone.sees('用它签过的授权仍然有效，可以另外撤回。');
  });
  await phone.press('确认停用');
  await phone.sees(phone.page.locator('.card.over').getByText('已停用'));
  await phone.press('退出登录');
  await stage.station('passkey-opens-no-more', phone, async () => {
    await phone.press('用通行密钥登录');
    await phone.sees('这个通行密钥已经停用。');
  });
  phone.forgives(/\/api\/session\/passkey\b.*403|status of 403/);
}
