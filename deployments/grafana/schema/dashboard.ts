// What the dashboard of Engram has to be, in the types of Grafana's own package. A test compiles the file that Grafana
// is given as a constant of the type `EngramDashboard`.
import type { Dashboard, DataQuery, FieldConfig, FieldConfigSource, Panel, VariableModel } from "@grafana/schema";
import type {
  FieldConfig as HeatmapField,
  Options as HeatmapOptions,
} from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen.d.ts";
import type {
  FieldConfig as StateTimelineField,
  Options as StateTimelineOptions,
} from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen.d.ts";
import type {
  FieldConfig as TimeSeriesField,
  Options as TimeSeriesOptions,
} from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts";

/** A query of Prometheus. The package has no type of it, so this is what the expression editor of Grafana writes. */
interface PrometheusQuery extends DataQuery {
  expr: string;
  legendFormat?: string;
  format?: "time_series" | "table" | "heatmap";
}

/** What JSON has of a type: an enumeration of texts is the texts themselves. */
type Json<T> = T extends string ? `${T}` : T extends object ? { [Key in keyof T]: Json<T[Key]> } : T;

/** Types that leave parts open, with these parts closed. */
type Closed<Base, Parts> = Omit<Json<Base>, keyof Parts> & Parts;

type PanelOf<Kind extends string, Options, Field> = Closed<
  Panel,
  {
    type: Kind;
    options?: Json<Options>;
    fieldConfig?: Closed<FieldConfigSource, { defaults: Closed<FieldConfig, { custom?: Json<Field> }> }>;
    targets: Json<PrometheusQuery>[];
  }
>;

export type EngramDashboard = Closed<
  Dashboard,
  {
    panels: (
      | PanelOf<"timeseries", TimeSeriesOptions, TimeSeriesField>
      | PanelOf<"heatmap", HeatmapOptions, HeatmapField>
      | PanelOf<"state-timeline", StateTimelineOptions, StateTimelineField>
    )[];
    templating: { list: Json<VariableModel>[] };
  }
>;
