//! The wasmtime engine all actors share: one per process, sized to the machine.

use rustix::process::{Resource, getrlimit};
use tracing::{info, warn};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    component::Component,
};

/// The most linear memory any actor may be given.
pub(crate) const MEMORY_BYTES_MAX: usize = 1 << 30;

/// The most table elements any actor may have; a language runtime of 20 MB uses about 20,000.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 100_000;

/// Stack of the guest itself. wasmtime's default, said because the fiber below has to hold it.
const WASM_STACK_BYTES: usize = 512 * 1024;

/// Stack of a call's fiber: the guest's, and what the host's functions need on top of it.
const FIBER_STACK_BYTES: usize = 1024 * 1024;

/// Memory of a slot that stays resident between two calls. Resetting these bytes by memset and returning the rest to the kernel
/// is about four times faster than unmapping all of it (`docs/benchmarks.md`).
const KEEP_RESIDENT_BYTES: usize = 128 * 1024;

/// Instances at once in the largest pool: each reserves 4 GiB of address space and next to no memory.
const POOL_INSTANCES_MAX: u32 = 1_000;

/// Tables that a pool has for each instance.
const TABLES_PER_INSTANCE: u32 = 4;

/// Core instances that a component may have. A pool only counts them, so it has as many for each of its own: a component of many takes no
/// more of it than another.
const CORE_INSTANCES_MAX: u32 = 64;

/// A pool smaller than this is not worth its limits; instances are then allocated one by one.
const POOL_INSTANCES_MIN: u32 = 32;

/// Instances at once where they are allocated one by one: each takes about 3 MiB of address space before it allocates.
const ON_DEMAND_INSTANCES_MAX: usize = 128;

/// Where memories move when they grow, each move leaves room for so much more. Growing by a megabyte at a time would copy the
/// whole memory each time, and hold up everybody on the same thread.
const GROWTH_BYTES: u64 = 16 << 20;

/// Address space under which we do not try to pool: a 1,000 slot pool wants 4 TiB, the smallest one 128 GiB.
const POOL_ADDRESS_SPACE_MIN: u64 = 1 << 38;

/// An engine, and how many instances it holds at once.
#[derive(Clone)]
pub(crate) struct ActorEngine {
    pub(crate) engine: Engine,
    pub(crate) instances_max: usize,
}

impl ActorEngine {
    /// The largest pool that this machine's address space has room for, or none.
    pub(crate) fn new() -> wasmtime::Result<Self> {
        let mut instances = if address_space_is_short() { 0 } else { POOL_INSTANCES_MAX };
        while instances >= POOL_INSTANCES_MIN {
            match Engine::new(&pooled(instances)) {
                Ok(engine) => {
                    info!(instances, "actors are pooled");
                    // A guest that is cut in the background leaves its slot a moment after its place.
                    let instances_max = (instances - instances / 16) as usize;
                    return Ok(Self { engine, instances_max });
                }
                Err(error) => {
                    warn!(instances, %error, "no address space for this pool, trying a smaller one")
                }
            }
            instances /= 2;
        }
        info!("address space is short: actors are allocated one by one");
        Ok(Self { engine: Engine::new(&on_demand())?, instances_max: ON_DEMAND_INSTANCES_MAX })
    }
}

fn address_space_is_short() -> bool {
    getrlimit(Resource::As).current.is_some_and(|bytes| bytes < POOL_ADDRESS_SPACE_MIN)
}

/// Of the host's instances, what one of this component takes: one that is put together from several has a memory and tables for each,
/// and a pool has only so many of these.
pub(super) fn places_of(component: &Component) -> u32 {
    let Some(required) = component.resources_required() else { return 1 };
    required.num_memories.max(required.num_tables.div_ceil(TABLES_PER_INSTANCE)).max(1)
}

/// What both kinds of engine agree on; compiled code of one does not load in the other, which the cache's key takes care of.
fn common() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // Costs a call a microsecond and gives WASI 0.3, which will get an engine of its own (docs/adr/0001).
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(FIBER_STACK_BYTES)
        .cranelift_opt_level(OptLevel::Speed)
        // Backtraces name functions, for which neither is needed; together they are a seventh of the compiled code, and what is
        // loaded from the cache is hashed.
        .native_unwind_info(false)
        .generate_address_map(false)
        .memory_init_cow(true);
    config
}

fn pooled(instances: u32) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * CORE_INSTANCES_MAX)
        .total_memories(instances)
        .total_tables(instances * TABLES_PER_INSTANCE)
        .total_stacks(instances)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(8)
        .max_tables_per_component(16)
        .max_component_instance_size(2 << 20)
        .max_core_instance_size(2 << 20)
        .max_memory_size(MEMORY_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_BYTES)
        .max_unused_warm_slots(instances)
        .pagemap_scan(Enabled::Auto);
    let mut config = common();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// For a process under `ulimit -v`: memories reserve no more than they use, and bounds are checked instead of guarded.
fn on_demand() -> Config {
    let mut config = common();
    config
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        .memory_reservation(0)
        .memory_reservation_for_growth(GROWTH_BYTES)
        .memory_guard_size(64 * 1024);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_of_several_takes_the_places_of_several() {
        let engine = Engine::default();
        let places = |text: &str| {
            let wasm = wat::parse_str(text).expect("a component");
            places_of(&Component::from_binary(&engine, &wasm).expect("it compiles"))
        };
        assert_eq!(places("(component)"), 1);
        let memory = "(core module $m (memory 1))";
        let instances = "(core instance (instantiate $m))".repeat(3);
        assert_eq!(places(&format!("(component {memory} {instances})")), 3);
        let tables = format!("(core module $m {})", "(table 1 funcref)".repeat(9));
        assert_eq!(places(&format!("(component {tables} (core instance (instantiate $m)))")), 3);
    }

    #[test]
    fn a_pool_holds_as_many_components_as_it_has_places_however_many_core_instances_they_have() {
        const PLACES: u32 = 2;
        let engine = Engine::new(&pooled(PLACES)).expect("address space");
        let instances = "(core instance (instantiate $m))".repeat(CORE_INSTANCES_MAX as usize);
        let wasm = wat::parse_str(format!("(component (core module $m) {instances})"));
        let component = Component::from_binary(&engine, &wasm.expect("a component"));
        let component = component.expect("it compiles");
        assert_eq!(places_of(&component), 1);
        let mut store = wasmtime::Store::new(&engine, ());
        let linker = wasmtime::component::Linker::new(&engine);
        for _ in 0..PLACES {
            linker.instantiate(&mut store, &component).expect("there is room");
        }
        linker.instantiate(&mut store, &component).expect_err("no more");
    }
}
