/** Hospital IT: what came and how it ended, how good what the systems send is, and what an item that no table knows is. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';

const ITEM = '血糖测定(GOD)';
const LOINC = '14749-6';
const MARRIED = '已婚有子女';
const DIAGNOSIS = '高血压病（院内码）';

export async function understanding(stage) {
  await reports(stage.region);
  const it = await stage.staff('A', 'it');
  await stage.station('connections', it, async () => {
    await it.follow('接口概况');
    await it.seesHeading('接口概况');
    const row = it.page.getByRole('row').filter({ hasText: 'LIS2' });
    await it.sees(row);
    const cells = await row.getByRole('cell').allInnerTexts();
    assert.equal(cells[1], 'HL7 v2（MLLP）');
    const [came, ...ended] = cells.slice(3, 10).map(Number);
    assert.deepEqual([came, ended], [2, [1, 0, 0, 0, 0, 1]], 'a report, and the same again');
    assert.equal(await it.page.getByText(stage.region.patient('referred').name).count(), 0, 'no patient on this page');
  });
  const broken = () => it.page.getByRole('row').filter({ hasText: 'LIS2' }).filter({ hasText: '检验项目应在对照表中' });
  await stage.station('quality', it, async () => {
    await it.follow('数据质量');
    await it.seesHeading('数据质量');
    await it.sees(broken());
    assert.equal(await it.page.getByText(stage.region.patient('referred').name).count(), 0, 'no patient on this page');
  });
  await stage.station('quality-messages', it, async () => {
    const [file] = await Promise.all([it.page.waitForEvent('download'), broken().getByRole('link').click()]);
    const table = await readFile(await file.path(), 'utf8');
    assert.match(table, /received,message\n20.*,UNKNOWN-1/, table);
  });
  const item = () => it.page.getByRole('row').filter({ hasText: ITEM });
  await stage.station('dictionary-open', it, async () => {
    await it.follow('项目对照');
    await it.seesHeading('项目对照');
    await it.sees(item());
    assert.match(await item().innerText(), /血浆 · mmol\/L/, 'the code of the specimen is none of its name');
    assert.doesNotMatch(await item().innerText(), /03&/);
  });
  await stage.station('dictionary-decided', it, async () => {
    await item().getByRole('combobox').fill(LOINC);
    await it.page.keyboard.press('Escape');
    await it.press('采用', item());
    await it.sees('已记录');
    await it.page.getByText('已对照', { exact: true }).click();
    await it.sees(item().getByText('已采用'));
    await it.sees(item().getByText(LOINC).first());
  });
  const diagnosis = () => it.page.getByRole('row').filter({ hasText: DIAGNOSIS });
  await stage.station('dictionary-diagnosis', it, async () => {
    await it.choose('类别', '诊断');
    await it.page.getByText('待对照', { exact: true }).click();
    await it.sees(diagnosis());
    await diagnosis().getByRole('combobox').fill('I10.x00x002');
    await it.page.keyboard.press('Escape');
    await it.press('采用', diagnosis());
    await it.sees('已记录');
    await it.page.getByText('已对照', { exact: true }).click();
    await it.sees(diagnosis().getByText('I10.x00x002').first());
  });
  const married = () => it.page.getByRole('row').filter({ hasText: MARRIED });
  await stage.station('dictionary-value-set', it, async () => {
    await it.choose('类别', '婚姻状况');
    await it.page.getByText('待对照', { exact: true }).click();
    await it.sees(married());
    assert.equal(await stated(stage.region), null, 'nobody knows yet what it means');
    await married().getByRole('combobox').fill('20');
    await it.page.keyboard.press('Escape');
    await it.press('采用', married());
    await it.sees('已记录');
    await it.page.getByText('已对照', { exact: true }).click();
    await it.sees(married().getByText('20 已婚').first());
    assert.equal(await stated(stage.region), '20', 'the report of before says it now');
  });
}

/** What the patient is said to be by the FHIR door, as a code of GB/T 2261.2; null if nobody knows it. */
async function stated(region) {
  const { url, systems: [{ client, secret }] } = region.hospital('A');
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: client, client_secret: secret });
  const { access_token: token } = await (await fetch(`${url}/oauth2/token`, { method: 'POST', body })).json();
  const get = async (path) => (await fetch(`${url}/fhir/${path}`, { headers: { authorization: `Bearer ${token}` } })).json();
  const found = await get('Patient?identifier=770009');
  const said = await get(`Patient/${found.entry[0].resource.id}/$everything?_type=Observation`);
  const married = said.entry.map((entry) => entry.resource).find((resource) => resource.code?.coding?.[0].code === '45404-1');
  const coding = married.valueCodeableConcept.coding.find(({ system }) => system === 'urn:oid:2.16.156.10011.2.3.3.5');
  return coding?.code ?? null;
}

/** The laboratory reports something under a name that no table has. */
async function reports(region) {
  const [, address] = region.hospital('A').mllp.find(([system]) => system === 'lis');
  const [host, port] = address.split(':');
  const line = connect(Number(port), host);
  await once(line, 'connect');
  const message = [
    'MSH|^~\\&|LIS2|QZRM|YIQIAO|QZRM|20261101080000||ORU^R01|UNKNOWN-1|P|2.4||||||UNICODE UTF-8',
    `PID|1||770009^^^^51||司马青||19700101|M||||||||Y2^${MARRIED}`,
    `DG1|1||BNM01^${DIAGNOSIS}`,
    'OBR|1||UNKNOWN-1|SH^生化|||20261101073000||||||||03&血浆|||||||20261101075500||LAB|F',
    `OBX|1|NM|3021^${ITEM}||5.6|mmol/L|3.9-6.1|N|||F`,
  ].join('\r');
  for (const _ of ['the first time', 'again']) {
    line.write(`\x0b${message}\r\x1c\r`);
    const [answer] = await once(line, 'data');
    assert.ok(String(answer).includes('MSA|AA'), `the report was answered by ${answer}`);
  }
  line.end();
}
