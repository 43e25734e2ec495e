// A reporter beside the dots: the figures that tests state, which are the lines they print after "# ".

export default async function* figures(events) {
  for await (const { type, data } of events) {
    if (type !== 'test:stdout') continue;
    for (const line of data.message.split('\n')) if (line.startsWith('# ')) yield `\n${line}\n`;
  }
}
