import { describe, expect, it } from "vitest";
import { ModelServer } from "../doubles/model-server.js";
import { connected, errorOf, useFakeTime } from "./support.js";

useFakeTime();

describe("the names of spaces", () => {
  it("drops a space with its aliases", async () => {
    const server = new ModelServer();
    server.onCall = () => ({ space: "scratch", aliases: ["draft"] });
    const engram = await connected(server, { space: "notes" });
    expect(await engram.dropSpace("scratch")).toEqual({ space: "scratch", aliases: ["draft"] });
    const sent = server.socket.sent.at(-1)?.header;
    expect(sent).toMatchObject({ type: "drop_space", space: "scratch" });
    expect(String(sent?.["idempotency_key"])).toHaveLength(32);
  });

  it("renames a space", async () => {
    const server = new ModelServer();
    server.onCall = () => ({ space: "notes", new: "renamed" });
    const engram = await connected(server, { space: "notes" });
    await engram.renameSpace("notes", "renamed");
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ type: "rename_space", space: "notes", new: "renamed" });
  });

  it("sets, lists and drops aliases", async () => {
    const server = new ModelServer();
    server.onCall = () => ({ alias: "current", space: "notes", aliases: { current: "notes" } });
    const engram = await connected(server, { space: "notes" });
    await engram.setAlias("current", "notes");
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ type: "set_alias", space: "current", to: "notes" });
    expect(await engram.aliases()).toEqual({ current: "notes" });
    await engram.dropAlias("current");
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ type: "drop_alias", space: "current" });
  });

  it("refuses what is no name", async () => {
    const engram = await connected(new ModelServer());
    const refused: [() => Promise<unknown>, string][] = [
      [() => engram.dropSpace("No"), "space"],
      [() => engram.renameSpace("a/b", "renamed"), "space"],
      [() => engram.renameSpace("notes", ""), "to"],
      [() => engram.setAlias("x", "notes"), "alias"],
      [() => engram.setAlias("current", "x"), "space"],
      [() => engram.dropAlias(7 as unknown as string), "alias"],
    ];
    for (const [call, field] of refused) {
      expect(await errorOf(call())).toMatchObject({ code: "invalid_space_name", field });
    }
  });
});
