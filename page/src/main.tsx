import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/recall.css";
import "./styles/time.css";
import "./styles/map.css";
import "./styles/memories.css";
import "./styles/engine.css";
import { App } from "./app";
import * as connection from "./state/connection";
import * as map from "./state/map";
import * as moment from "./state/moment";
import * as recall from "./state/recall";
import * as status from "./state/status";

moment.start();
map.start();
recall.start();
status.start();
status.chooseSpace();
connection.start();

const root = document.getElementById("page");
if (root !== null) {
  render(<App />, root);
}
