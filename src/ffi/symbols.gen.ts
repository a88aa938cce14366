// Written by scripts/gen_ffi.ts from native/flashpage.h. Do not edit.

/** Version of the ABI that these tables describe. */
export const ABI_VERSION = 3;

/** What a `buffer` parameter takes. */
export type Buffer = Uint8Array | Int32Array | Uint32Array | Float32Array | Float64Array | Uint16Array | Int16Array | null;

/** Types of parameters: scalars, and caller-owned memory. */
export type NativeType = "i32" | "u32" | "f32" | "f64" | "buffer";

/** Signature of one function. */
export interface NativeSignature {
  readonly parameters: readonly NativeType[];
  readonly result: "i32" | "cstring";
}

/** The library's functions, as both bindings give them. */
export interface Symbols {
  /** `i32 fp_abi_version(void);` */
  fp_abi_version(): number;
  /** `const char \*fp_build_id(void);` */
  fp_build_id(): string;
  /** `const char \*fp_last_error(void);` */
  fp_last_error(): string;
  /** `fp_status fp_selftest_struct(i32 struct_id, const void \*bytes, f64 num_bytes, void \*fields, i32 num_fields);` */
  fp_selftest_struct(struct_id: number, bytes: Buffer, num_bytes: number, fields: Buffer, num_fields: number): number;
  /** `fp_status fp_device_open(i32 kind, i32 ordinal, i32 num_threads, void \*device);` */
  fp_device_open(kind: number, ordinal: number, num_threads: number, device: Buffer): number;
  /** `fp_status fp_device_close(fp_handle device);` */
  fp_device_close(device: number): number;
  /** `fp_status fp_device_get_info(fp_handle device, void \*info);` */
  fp_device_get_info(device: number, info: Buffer): number;
  /** `const char \*fp_device_name(fp_handle device);` */
  fp_device_name(device: number): string;
  /** `fp_status fp_device_synchronize(fp_handle device);` */
  fp_device_synchronize(device: number): number;
  /** `fp_status fp_memory_alloc(fp_handle device, f64 num_bytes, void \*address);` */
  fp_memory_alloc(device: number, num_bytes: number, address: Buffer): number;
  /** `fp_status fp_memory_free(fp_handle device, fp_address address);` */
  fp_memory_free(device: number, address: number): number;
  /** `fp_status fp_memory_register(fp_handle device, fp_address address, f64 num_bytes);` */
  fp_memory_register(device: number, address: number, num_bytes: number): number;
  /** `fp_status fp_memory_unregister(fp_handle device, fp_address address);` */
  fp_memory_unregister(device: number, address: number): number;
  /** `fp_status fp_memory_get_usage(fp_handle device, void \*usage);` */
  fp_memory_get_usage(device: number, usage: Buffer): number;
  /** `fp_status fp_memory_upload(fp_handle stream, fp_address target, const void \*source, f64 num_bytes);` */
  fp_memory_upload(stream: number, target: number, source: Buffer, num_bytes: number): number;
  /** `fp_status fp_memory_copy(fp_handle stream, fp_address target, fp_address source, f64 num_bytes);` */
  fp_memory_copy(stream: number, target: number, source: number, num_bytes: number): number;
  /** `fp_status fp_memory_fill(fp_handle stream, fp_address target, i32 byte_value, f64 num_bytes);` */
  fp_memory_fill(stream: number, target: number, byte_value: number, num_bytes: number): number;
  /** `fp_status fp_download_begin(fp_handle stream, fp_address source, f64 num_bytes, void \*download);` */
  fp_download_begin(stream: number, source: number, num_bytes: number, download: Buffer): number;
  /** `fp_status fp_download_finish(fp_handle download, void \*target, f64 num_bytes);` */
  fp_download_finish(download: number, target: Buffer, num_bytes: number): number;
  /** `fp_status fp_stream_create(fp_handle device, void \*stream);` */
  fp_stream_create(device: number, stream: Buffer): number;
  /** `fp_status fp_stream_destroy(fp_handle stream);` */
  fp_stream_destroy(stream: number): number;
  /** `fp_status fp_stream_wait_event(fp_handle stream, fp_handle event);` */
  fp_stream_wait_event(stream: number, event: number): number;
  /** `fp_status fp_stream_query(fp_handle stream);` */
  fp_stream_query(stream: number): number;
  /** `fp_status fp_event_create(fp_handle device, void \*event);` */
  fp_event_create(device: number, event: Buffer): number;
  /** `fp_status fp_event_destroy(fp_handle event);` */
  fp_event_destroy(event: number): number;
  /** `fp_status fp_event_record(fp_handle event, fp_handle stream);` */
  fp_event_record(event: number, stream: number): number;
  /** `fp_status fp_event_query(fp_handle event);` */
  fp_event_query(event: number): number;
  /** `fp_status fp_event_elapsed(fp_handle start, fp_handle end, void \*milliseconds);` */
  fp_event_elapsed(start: number, end: number, milliseconds: Buffer): number;
  /** `fp_status fp_graph_begin_capture(fp_handle stream);` */
  fp_graph_begin_capture(stream: number): number;
  /** `fp_status fp_graph_end_capture(fp_handle stream, void \*graph);` */
  fp_graph_end_capture(stream: number, graph: Buffer): number;
  /** `fp_status fp_graph_launch(fp_handle graph, fp_handle stream);` */
  fp_graph_launch(graph: number, stream: number): number;
  /** `fp_status fp_graph_destroy(fp_handle graph);` */
  fp_graph_destroy(graph: number): number;
  /** `fp_status fp_attention_get_limits(fp_handle device, i32 q_dtype, i32 dtype, i32 kv_dtype, i32 head_dim_qk, i32 head_dim_vo, i32 group_size, void \*limits);` */
  fp_attention_get_limits(device: number, q_dtype: number, dtype: number, kv_dtype: number, head_dim_qk: number, head_dim_vo: number, group_size: number, limits: Buffer): number;
  /** `fp_status fp_attention_run(fp_handle stream, const void \*args);` */
  fp_attention_run(stream: number, args: Buffer): number;
  /** `fp_status fp_plan_decode(fp_handle stream, const void \*args);` */
  fp_plan_decode(stream: number, args: Buffer): number;
  /** `fp_status fp_merge_states(fp_handle stream, const void \*args);` */
  fp_merge_states(stream: number, args: Buffer): number;
  /** `fp_status fp_kv_append(fp_handle stream, const void \*args);` */
  fp_kv_append(stream: number, args: Buffer): number;
  /** `fp_status fp_kv_copy_pages(fp_handle stream, const void \*args);` */
  fp_kv_copy_pages(stream: number, args: Buffer): number;
  /** `fp_status fp_rms_norm(fp_handle stream, const void \*args);` */
  fp_rms_norm(stream: number, args: Buffer): number;
  /** `fp_status fp_rope(fp_handle stream, const void \*args);` */
  fp_rope(stream: number, args: Buffer): number;
  /** `fp_status fp_silu_and_mul(fp_handle stream, const void \*args);` */
  fp_silu_and_mul(stream: number, args: Buffer): number;
  /** `fp_status fp_embedding(fp_handle stream, const void \*args);` */
  fp_embedding(stream: number, args: Buffer): number;
  /** `fp_status fp_linear(fp_handle stream, const void \*args);` */
  fp_linear(stream: number, args: Buffer): number;
  /** `fp_status fp_argmax(fp_handle stream, const void \*args);` */
  fp_argmax(stream: number, args: Buffer): number;
  /** `fp_status fp_sample(fp_handle stream, const void \*args);` */
  fp_sample(stream: number, args: Buffer): number;
}

/** Signatures by name. */
export const SIGNATURES: Readonly<Record<keyof Symbols, NativeSignature>> = {
  fp_abi_version: { parameters: [], result: "i32" },
  fp_build_id: { parameters: [], result: "cstring" },
  fp_last_error: { parameters: [], result: "cstring" },
  fp_selftest_struct: { parameters: ["i32", "buffer", "f64", "buffer", "i32"], result: "i32" },
  fp_device_open: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  fp_device_close: { parameters: ["f64"], result: "i32" },
  fp_device_get_info: { parameters: ["f64", "buffer"], result: "i32" },
  fp_device_name: { parameters: ["f64"], result: "cstring" },
  fp_device_synchronize: { parameters: ["f64"], result: "i32" },
  fp_memory_alloc: { parameters: ["f64", "f64", "buffer"], result: "i32" },
  fp_memory_free: { parameters: ["f64", "f64"], result: "i32" },
  fp_memory_register: { parameters: ["f64", "f64", "f64"], result: "i32" },
  fp_memory_unregister: { parameters: ["f64", "f64"], result: "i32" },
  fp_memory_get_usage: { parameters: ["f64", "buffer"], result: "i32" },
  fp_memory_upload: { parameters: ["f64", "f64", "buffer", "f64"], result: "i32" },
  fp_memory_copy: { parameters: ["f64", "f64", "f64", "f64"], result: "i32" },
  fp_memory_fill: { parameters: ["f64", "f64", "i32", "f64"], result: "i32" },
  fp_download_begin: { parameters: ["f64", "f64", "f64", "buffer"], result: "i32" },
  fp_download_finish: { parameters: ["f64", "buffer", "f64"], result: "i32" },
  fp_stream_create: { parameters: ["f64", "buffer"], result: "i32" },
  fp_stream_destroy: { parameters: ["f64"], result: "i32" },
  fp_stream_wait_event: { parameters: ["f64", "f64"], result: "i32" },
  fp_stream_query: { parameters: ["f64"], result: "i32" },
  fp_event_create: { parameters: ["f64", "buffer"], result: "i32" },
  fp_event_destroy: { parameters: ["f64"], result: "i32" },
  fp_event_record: { parameters: ["f64", "f64"], result: "i32" },
  fp_event_query: { parameters: ["f64"], result: "i32" },
  fp_event_elapsed: { parameters: ["f64", "f64", "buffer"], result: "i32" },
  fp_graph_begin_capture: { parameters: ["f64"], result: "i32" },
  fp_graph_end_capture: { parameters: ["f64", "buffer"], result: "i32" },
  fp_graph_launch: { parameters: ["f64", "f64"], result: "i32" },
  fp_graph_destroy: { parameters: ["f64"], result: "i32" },
  fp_attention_get_limits: { parameters: ["f64", "i32", "i32", "i32", "i32", "i32", "i32", "buffer"], result: "i32" },
  fp_attention_run: { parameters: ["f64", "buffer"], result: "i32" },
  fp_plan_decode: { parameters: ["f64", "buffer"], result: "i32" },
  fp_merge_states: { parameters: ["f64", "buffer"], result: "i32" },
  fp_kv_append: { parameters: ["f64", "buffer"], result: "i32" },
  fp_kv_copy_pages: { parameters: ["f64", "buffer"], result: "i32" },
  fp_rms_norm: { parameters: ["f64", "buffer"], result: "i32" },
  fp_rope: { parameters: ["f64", "buffer"], result: "i32" },
  fp_silu_and_mul: { parameters: ["f64", "buffer"], result: "i32" },
  fp_embedding: { parameters: ["f64", "buffer"], result: "i32" },
  fp_linear: { parameters: ["f64", "buffer"], result: "i32" },
  fp_argmax: { parameters: ["f64", "buffer"], result: "i32" },
  fp_sample: { parameters: ["f64", "buffer"], result: "i32" },
};
