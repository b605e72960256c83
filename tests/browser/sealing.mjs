/** A record is sealed: who attends the patient opens nothing more, the attempt is listed, and a second person has to lift the seal. */

export async function sealing(stage) {
  const { region } = stage;
  const patient = region.patient('revoker');
  const affairs = await stage.staff('A', 'affairs');
  await affairs.finds(patient);
  await stage.station('record-sealed', affairs, async () => {
    await affairs.press('封存病历');
    await affairs.dialog().getByText('医疗纠纷').click();
    await affairs.fill('说明', '家属到场，封存清单 2026-007', affairs.dialog());
    await affairs.press('确认封存', affairs.dialog());
    await affairs.sees(affairs.page.locator('.sealed').filter({ hasText: '封存' }));
  });
  const doctor = await stage.staff('A', region.doctorOf('revoker', 'A').login);
  await stage.station('sealed-document', doctor, async () => {
    await doctor.follow(patient.name);
    await doctor.page.getByRole('listitem').first().getByRole('link').click();
    await doctor.sees('这份病历已封存，只有医务科指定的复核人员可以打开。');
    doctor.forgives(/423/);
  });
  await stage.station('sealed-records', affairs, async () => {
    await affairs.follow('封存的病历');
    await affairs.sees(affairs.page.getByRole('article').filter({ hasText: patient.name }).filter({ hasText: doctorName(region) }));
  });
  await stage.station('seal-of-ones-own', affairs, async () => {
    await affairs.finds(patient);
    await affairs.press('解除封存');
    await affairs.fill('说明', '协商完毕', affairs.dialog());
    await affairs.press('确认解除', affairs.dialog());
    await affairs.sees('不能审核或解除自己的操作');
    affairs.forgives(/403/);
  });
}

const doctorName = (region) => region.doctorOf('revoker', 'A').name;
