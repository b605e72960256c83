/** The HIS has registered one woman twice: a desk compares the two, says that they are one, and takes it back. */

import { once } from 'node:events';
import { connect } from 'node:net';

const NAME = '欧阳秋月';

export async function identity(stage) {
  await registers(stage.region, '770001', '19620817');
  await registers(stage.region, '770002', '19620817');
  const desk = await stage.staff('A', 'desk');
  const pair = () => desk.page.getByRole('article').filter({ hasText: NAME });
  await stage.station('may-be-one', desk, async () => {
    await desk.follow('疑似同一人');
    await desk.seesHeading('疑似同一人');
    await desk.seesAtLast(pair);
    await desk.sees(pair().getByText('一致').first());
  });
  await stage.station('said-to-be-one', desk, async () => {
    await pair().getByRole('button', { name: '是同一人', exact: true }).click();
    await confirms(desk, '两份登记将合为一位患者');
    await desk.sees('已合为一位患者');
  });
  await stage.station('taken-back', desk, async () => {
    await desk.page.getByText('已决定', { exact: true }).click();
    await pair().getByRole('button', { name: '撤销决定' }).click();
    await confirms(desk, '恢复各自独立');
    await desk.sees('已撤销');
  });
}

/** The bubble that asks whether one is sure. */
async function confirms(desk, question) {
  const bubble = desk.page.locator('.ant-popover').filter({ hasText: question });
  await desk.sees(bubble);
  await bubble.locator('.ant-btn-primary').click();
}

/** The HIS says that somebody with this number has come; it has no identity number of hers. */
async function registers(region, number, birth) {
  const [, address] = region.hospital('A').mllp.find(([system]) => system === 'his');
  const [host, port] = address.split(':');
  const line = connect(Number(port), host);
  await once(line, 'connect');
  const message = [
    `MSH|^~\\&|HIS|QZRM|YIQIAO|QZRM|20261101080000||ADT^A04|TWICE${number}|P|2.4||||||UNICODE UTF-8`,
    `PID|1||${number}^^^^51||${NAME}||${birth}|F|||||13900002222`,
    'PV1|1|O|0203',
  ].join('\r');
  line.write(`\x0b${message}\r\x1c\r`);
  const [answer] = await once(line, 'data');
  line.end();
  if (!String(answer).includes('MSA|AA')) throw new Error(`the registration was answered by ${answer}`);
}
