import { expect, test, vi } from "vitest";
import { Latest } from "../src/logic/latest";

interface Open {
  question: number;
  signal: AbortSignal;
  answer: (value: string) => void;
  refuse: (error: Error) => void;
}

function setUp(patienceMs = 1000): { latest: Latest<number, string>; asked: Open[]; answers: string[]; errors: string[] } {
  const asked: Open[] = [];
  const answers: string[] = [];
  const errors: string[] = [];
  const latest = new Latest<number, string>(
    (question, signal) =>
      new Promise((answer, refuse) => {
        asked.push({ question, signal, answer, refuse });
        signal.addEventListener("abort", () => refuse(new Error("aborted")));
      }),
    (answer) => answers.push(answer),
    (error) => errors.push((error as Error).message),
    patienceMs,
  );
  return { latest, asked, answers, errors };
}

const settle = (): Promise<unknown> => new Promise((resolve) => setImmediate(resolve));

test("of many questions only the first and the newest are asked", async () => {
  const { latest, asked, answers } = setUp();
  for (const question of [1, 2, 3, 4]) {
    latest.put(question);
  }
  expect(asked.map(({ question }) => question)).toEqual([1]);
  asked[0]?.answer("one");
  await settle();
  expect(asked.map(({ question }) => question)).toEqual([1, 4]);
  asked[1]?.answer("four");
  await settle();
  expect(answers).toEqual(["one", "four"]);
});

test("a question that takes long is cancelled for a newer one, and not for none", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  try {
    const { latest, asked, answers, errors } = setUp(200);
    latest.put(1);
    vi.advanceTimersByTime(5000);
    expect(asked[0]?.signal.aborted).toBe(false);
    latest.put(2);
    vi.advanceTimersByTime(0);
    expect(asked[0]?.signal.aborted).toBe(true);
    await settle();
    asked[1]?.answer("two");
    await settle();
    expect([answers, errors]).toEqual([["two"], []]);
  } finally {
    vi.useRealTimers();
  }
});

test("a new question can replace the one under way at once", async () => {
  const { latest, asked, answers } = setUp();
  latest.put(1);
  latest.replace(2);
  expect(asked[0]?.signal.aborted).toBe(true);
  await settle();
  asked[1]?.answer("two");
  await settle();
  expect(answers).toEqual(["two"]);
});

test("after a refusal the next question is asked", async () => {
  const { latest, asked, answers, errors } = setUp();
  latest.put(1);
  asked[0]?.refuse(new Error("no longer kept"));
  await settle();
  latest.put(2);
  asked[1]?.answer("two");
  await settle();
  expect([answers, errors]).toEqual([["two"], ["no longer kept"]]);
});

test("what is stopped is cancelled and says nothing", async () => {
  const { latest, asked, answers, errors } = setUp();
  latest.put(1);
  latest.put(2);
  latest.stop();
  await settle();
  expect(asked).toHaveLength(1);
  expect([answers, errors]).toEqual([[], []]);
});
