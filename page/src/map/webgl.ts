import { ALIVE } from "../logic/points";
import { ageColour, tagColour } from "./colours";
import { radiusOf, type Renderer, type Scene, shadeOf } from "./scene";

const FLOATS = 6;
const COLOURS = 256;

const VERTEX = `#version 300 es
in vec2 place;
in float born;
in float gone;
in float shade;
in float appeared;
uniform vec3 camera;
uniform vec2 size;
uniform float generation;
uniform float span;
uniform bool byTag;
uniform float radius;
uniform float ratio;
uniform float now;
uniform float glowMs;
uniform float fresh;
uniform float strength;
uniform sampler2D colours;
out vec4 colour;
out float reach;
out float core;
void main() {
  if (born > generation || gone <= generation) {
    gl_Position = vec4(2.0, 2.0, 0.0, 1.0);
    gl_PointSize = 0.0;
    return;
  }
  vec2 pixels = (place - camera.xy) * camera.z;
  float age = clamp((generation - born) / span, 0.0, 1.0);
  gl_Position = vec4(2.0 * pixels / size, byTag ? 0.0 : age * 0.9, 1.0);
  float glow = glowMs > 0.0 ? clamp(1.0 - (now - appeared) / glowMs, 0.0, 1.0) : 0.0;
  glow = max(glow, fresh > 0.0 ? clamp(1.0 - (generation - born) / fresh, 0.0, 1.0) : 0.0);
  core = radius * (1.0 + 0.7 * glow) * ratio;
  reach = core * (1.0 + 4.0 * glow);
  gl_PointSize = 2.0 * reach + 2.0;
  float column = byTag ? shade : age * 255.0;
  vec3 base = texelFetch(colours, ivec2(int(column + 0.5), byTag ? 1 : 0), 0).rgb;
  colour = vec4(mix(base, vec3(1.0), glow * 0.25), mix(strength, 1.0, glow));
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 colour;
in float reach;
in float core;
out vec4 shown;
void main() {
  float distance = length(gl_PointCoord - 0.5) * (2.0 * reach + 2.0);
  float halo = max(0.0, 1.0 - distance / max(reach, 1.0));
  float alpha = colour.a * (1.0 - smoothstep(core - 1.0, core + 0.6, distance));
  // Around a new point lies a glow that shrinks into it.
  alpha = max(alpha, reach > core + 0.5 ? 0.42 * halo * halo : 0.0);
  if (alpha < 0.01) discard;
  shown = vec4(colour.rgb * alpha, alpha);
}`;

/** Draws points with WebGL2: which are there, and in which colour, is decided on the graphics card. */
export class WebglRenderer implements Renderer {
  readonly name = "webgl2";
  readonly #gl: WebGL2RenderingContext;
  readonly #program: WebGLProgram;
  readonly #buffer: WebGLBuffer;
  readonly #data: Float32Array;
  #uploaded = "";
  #coloured = "";

  constructor(private readonly canvas: HTMLCanvasElement, countMax: number) {
    const gl = canvas.getContext("webgl2", { alpha: true, antialias: false, premultipliedAlpha: true, depth: false });
    if (gl === null) {
      throw new Error("this browser has no WebGL2");
    }
    this.#gl = gl;
    this.#program = programOf(gl);
    this.#buffer = gl.createBuffer();
    this.#data = new Float32Array(countMax * FLOATS);
    gl.useProgram(this.#program);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#buffer);
    gl.bufferData(gl.ARRAY_BUFFER, this.#data.byteLength, gl.DYNAMIC_DRAW);
    let offset = 0;
    for (const [name, width] of [["place", 2], ["born", 1], ["gone", 1], ["shade", 1], ["appeared", 1]] as const) {
      const location = gl.getAttribLocation(this.#program, name);
      gl.enableVertexAttribArray(location);
      gl.vertexAttribPointer(location, width, gl.FLOAT, false, FLOATS * 4, offset * 4);
      offset += width;
    }
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  draw(scene: Scene): void {
    const gl = this.#gl;
    const { size, pixelRatio, camera } = scene;
    const width = Math.round(size.width * pixelRatio);
    const height = Math.round(size.height * pixelRatio);
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    this.#upload(scene);
    this.#colour(scene);
    const at = (name: string): WebGLUniformLocation | null => gl.getUniformLocation(this.#program, name);
    gl.uniform3f(at("camera"), camera.x, camera.y, camera.scale);
    gl.uniform2f(at("size"), size.width, size.height);
    gl.uniform1f(at("generation"), scene.generation - scene.oldest);
    gl.uniform1f(at("span"), Math.max(1, scene.generation - scene.oldest));
    gl.uniform1i(at("byTag"), scene.colourBy === "tag" ? 1 : 0);
    gl.uniform1f(at("radius"), radiusOf(scene));
    gl.uniform1f(at("ratio"), pixelRatio);
    gl.uniform1f(at("now"), scene.now);
    gl.uniform1f(at("glowMs"), scene.glowMs);
    gl.uniform1f(at("fresh"), scene.fresh);
    gl.uniform1f(at("strength"), scene.isDimmed ? 0.3 : 0.84);
    gl.drawArrays(gl.POINTS, 0, scene.points.count);
  }

  dispose(): void {
    this.#gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  #upload(scene: Scene): void {
    const { points, oldest, colourBy, tags } = scene;
    const wanted = `${points.version} ${oldest} ${colourBy} ${tags.join("\n")}`;
    if (wanted === this.#uploaded) {
      return;
    }
    this.#uploaded = wanted;
    // From the oldest to the newest, so that the newest lie on top.
    const order = Uint32Array.from({ length: points.count }, (_, i) => i);
    order.sort((a, b) => (points.born[a] ?? 0) - (points.born[b] ?? 0));
    order.forEach((index, row) => {
      const until = points.until[index] ?? ALIVE;
      this.#data[row * FLOATS] = points.x[index] ?? 0;
      this.#data[row * FLOATS + 1] = points.y[index] ?? 0;
      // Relative to the oldest: float32 counts to 16 million.
      this.#data[row * FLOATS + 2] = (points.born[index] ?? 0) - oldest;
      this.#data[row * FLOATS + 3] = until === ALIVE ? 3e38 : until - oldest;
      this.#data[row * FLOATS + 4] = colourBy === "tag" ? shadeOf(scene, index) : 0;
      this.#data[row * FLOATS + 5] = points.appeared[index] ?? 0;
    });
    this.#gl.bufferSubData(this.#gl.ARRAY_BUFFER, 0, this.#data.subarray(0, points.count * FLOATS));
  }

  #colour(scene: Scene): void {
    const wanted = String(scene.palette.isDark);
    if (wanted === this.#coloured) {
      return;
    }
    this.#coloured = wanted;
    const texels = new Uint8Array(COLOURS * 2 * 4).fill(255);
    for (let i = 0; i < COLOURS; i++) {
      texels.set(ageColour(scene.palette, i / (COLOURS - 1)).map(Math.round), i * 4);
      texels.set(tagColour(scene.palette, i).map(Math.round), (COLOURS + i) * 4);
    }
    const gl = this.#gl;
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, COLOURS, 2, 0, gl.RGBA, gl.UNSIGNED_BYTE, texels);
  }
}

function programOf(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [type, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(type);
    if (shader === null) {
      throw new Error("the graphics card was lost");
    }
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    throw new Error(`the graphics card refuses the map: ${gl.getProgramInfoLog(program) ?? ""}`);
  }
  return program;
}
