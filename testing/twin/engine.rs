//! The host's engine settings (`host/src/actors/engine.rs`): what they cost and give must be the same on both sides.

use std::time::Duration;

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

/// Between two yields of a running guest.
pub(crate) const EPOCH_INTERVAL: Duration = Duration::from_millis(2);

const KEEP_RESIDENT_BYTES: usize = 128 * 1024;
const INSTANCES_MAX: u32 = 1_000;

/// The settings.
pub(crate) fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES_MAX)
        .total_core_instances(INSTANCES_MAX * 8)
        .total_memories(INSTANCES_MAX)
        .total_tables(INSTANCES_MAX * 4)
        .total_stacks(INSTANCES_MAX)
        .max_core_instances_per_component(64)
        .max_memories_per_component(8)
        .max_tables_per_component(16)
        .max_component_instance_size(2 << 20)
        .max_core_instance_size(2 << 20)
        .max_memory_size(1 << 30)
        .table_elements(100_000)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_BYTES)
        .max_unused_warm_slots(INSTANCES_MAX)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(512 * 1024)
        .async_stack_size(1024 * 1024)
        .cranelift_opt_level(OptLevel::Speed)
        .native_unwind_info(false)
        .generate_address_map(false)
        .memory_init_cow(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}
