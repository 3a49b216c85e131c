// The text of the metrics in both formats, read by a strict reader, and the reader's own strictness.
import { describe, expect, it } from "vitest";
import { exposed, type Family, openMetricsType, prometheusType } from "../../../src/admin/exposition.js";
import { readOpenMetrics } from "../../support/openmetrics.js";

const families: readonly Family[] = [
  {
    name: "x_polls_total",
    type: "counter",
    help: 'Polls: a "quoted" \\ help\nof two lines.',
    samples: [{ suffix: "", labels: { end: 'a"b\\c\nd,e="f"}' }, value: 3 }],
  },
  { name: "x_age_seconds", type: "gauge", help: "Age.", samples: [{ suffix: "", labels: {}, value: 1e-7 }] },
  { name: "x_empty", type: "gauge", help: "Nothing.", samples: [] },
  {
    name: "x_took_seconds",
    type: "histogram",
    help: "Took.",
    samples: [
      { suffix: "_bucket", labels: { le: 0.5, region: "r" }, value: 1 },
      { suffix: "_bucket", labels: { le: 60, region: "r" }, value: 2 },
      { suffix: "_bucket", labels: { le: "+Inf", region: "r" }, value: 2 },
      { suffix: "_sum", labels: { region: "r" }, value: 1.25 },
      { suffix: "_count", labels: { region: "r" }, value: 2 },
    ],
  },
];

describe("OpenMetrics", () => {
  it("is what a strict reader reads back", () => {
    const { contentType, text } = exposed(families, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    expect(contentType).toBe(openMetricsType);
    const read = readOpenMetrics(text);
    expect(read.get("x_polls")?.samples).toEqual([
      { name: "x_polls_total", labels: { end: 'a"b\\c\nd,e="f"}' }, value: 3 },
    ]);
    expect(read.get("x_age_seconds")?.samples[0]?.value).toBe(1e-7);
    expect(read.get("x_took_seconds")?.samples[1]?.labels).toEqual({ le: "60.0", region: "r" });
    expect(text).toContain("# UNIT x_age_seconds seconds\n");
  });

  it.each([
    "application/openmetrics-text",
    "application/openmetrics-text, */*",
    "Application/OpenMetrics-Text; Version=1.0.0; Q=0.3, text/html",
    'application/openmetrics-text;version="1.0.0"',
    // What Prometheus 2 and 3 send.
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
  ])("is the answer to Accept: %s", (accept) => {
    expect(exposed(families, accept).contentType).toBe(openMetricsType);
  });
});

describe("Prometheus' older text", () => {
  it.each([
    undefined,
    "",
    "*/*",
    "text/html",
    "application/*",
    "application/openmetrics-text;q=0",
    "application/openmetrics-text;q=0.0, */*",
    "application/openmetrics-text;q=nothing",
    "application/openmetrics-text;version=2.0.0",
    "application/openmetrics-text;q=0.5,text/plain;version=0.0.4;q=0.9",
    "text/plain",
  ])("is the answer to Accept: %s", (accept) => {
    expect(exposed(families, accept).contentType).toBe(prometheusType);
  });

  it("is the answer when it alone is asked for, with the counters' whole names", () => {
    const { contentType, text } = exposed(families, "text/plain;version=0.0.4;q=0.5,*/*;q=0.1");
    expect(contentType).toBe(prometheusType);
    expect(text).toContain("# TYPE x_polls_total counter\nx_polls_total{end=");
    expect(text).not.toMatch(/# (EOF|UNIT)/);
  });
});

describe("the reader of the tests", () => {
  it.each([
    ["no end", "# TYPE a gauge\na 1\n"],
    ["a family twice", "# TYPE a gauge\na 1\n# TYPE a gauge\na 2\n# EOF\n"],
    ["a sample twice", '# TYPE a gauge\na{b="1"} 1\na{b="1"} 2\n# EOF\n'],
    ["a counter without _total", "# TYPE a counter\na 1\n# EOF\n"],
    ["a bad label", "# TYPE a gauge\na{b=1} 1\n# EOF\n"],
    ["no number", "# TYPE a gauge\na undefined\n# EOF\n"],
    [
      "a bound that is no float",
      '# TYPE a histogram\na_bucket{le="1"} 1\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n# EOF\n',
    ],
    [
      "buckets that fall",
      '# TYPE a histogram\na_bucket{le="1.0"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n# EOF\n',
    ],
    ["a count of its own", '# TYPE a histogram\na_bucket{le="+Inf"} 1\na_sum 1\na_count 2\n# EOF\n'],
  ])("refuses %s", (_, text) => {
    expect(() => readOpenMetrics(text)).toThrow();
  });
});
