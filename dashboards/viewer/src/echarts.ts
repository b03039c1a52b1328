// Only the parts of Apache ECharts that the panels need.

import { BarChart, CustomChart, LineChart } from "echarts/charts";
import { GridComponent, TooltipComponent } from "echarts/components";
import { graphic, init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

use([BarChart, CustomChart, LineChart, GridComponent, TooltipComponent, CanvasRenderer]);

export { graphic, init };
export type { ECharts, EChartsCoreOption } from "echarts/core";
