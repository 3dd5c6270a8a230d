/**
 * Answers the newest of many questions.
 *
 * One question is under way at a time. Of those that come meanwhile only the newest is asked, as soon as the one under
 * way has been answered; so the answer follows a dragged slider as fast as the server allows. A question that takes long
 * is cancelled when there is a newer one.
 */
export class Latest<Question, Answer> {
  #running: { controller: AbortController; since: number } | undefined;
  #waiting: { question: Question } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly ask: (question: Question, signal: AbortSignal) => Promise<Answer>,
    private readonly onAnswer: (answer: Answer, question: Question) => void,
    private readonly onError: (error: unknown, question: Question) => void,
    private readonly patienceMs = 250,
  ) {}

  /** Ask a question; every question that was asked before and is not under way yet is forgotten. */
  put(question: Question): void {
    this.#waiting = { question };
    if (this.#running === undefined) {
      void this.#next();
    } else {
      const left = this.patienceMs - (performance.now() - this.#running.since);
      const { controller } = this.#running;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => controller.abort(), Math.max(0, left));
    }
  }

  /** Cancel what is under way and forget what waits. */
  stop(): void {
    this.#waiting = undefined;
    clearTimeout(this.#timer);
    this.#running?.controller.abort();
  }

  /** Cancel what is under way, and ask this instead. */
  replace(question: Question): void {
    this.#waiting = { question };
    clearTimeout(this.#timer);
    if (this.#running === undefined) {
      void this.#next();
    } else {
      this.#running.controller.abort();
    }
  }

  async #next(): Promise<void> {
    while (this.#waiting !== undefined) {
      const { question } = this.#waiting;
      this.#waiting = undefined;
      const controller = new AbortController();
      this.#running = { controller, since: performance.now() };
      try {
        const answer = await this.ask(question, controller.signal);
        if (!controller.signal.aborted) {
          this.onAnswer(answer, question);
        }
      } catch (error) {
        if (!controller.signal.aborted) {
          this.onError(error, question);
        }
      }
      clearTimeout(this.#timer);
      this.#running = undefined;
    }
  }
}
