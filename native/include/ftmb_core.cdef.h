/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What Python sees of the core library. Read by cffi, not by the C compiler; the compiler checks
 * every line of it against the real headers, and fills in what is written as "...".
 */

/* Elements and their options */
enum ftmb_option_type {
    FTMB_OPTION_UNSIGNED,
    FTMB_OPTION_BOOLEAN,
    FTMB_OPTION_SECONDS,
    FTMB_OPTION_CHOICE,
    FTMB_OPTION_PORT,
    FTMB_OPTION_JOURNAL,
    FTMB_OPTION_TEXT,
    FTMB_OPTION_LIST,
    ...
};
struct ftmb_option {
    const char *name;
    const char *help;
    enum ftmb_option_type type;
    uint32_t offset;
    uint64_t minimum, maximum;
    const char *initial;
    const char *const *choices;
    int (*parse)(void *config, const char *text, char *error, size_t error_size);
    ...;
};
enum ftmb_field_type {
    FTMB_FIELD_NUMBER,
    FTMB_FIELD_ADDRESS,
    FTMB_FIELD_ADDRESS_AS_NUMBER,
    FTMB_FIELD_ADDRESS_AS_NUMBERS,
    FTMB_FIELD_PREFIX,
    FTMB_FIELD_CHOICE,
    FTMB_FIELD_FLAGS,
    FTMB_FIELD_SECONDS,
    FTMB_FIELD_SECONDS_LEFT,
    FTMB_FIELD_PARTS,
    FTMB_FIELD_PROTOCOL,
    FTMB_FIELD_TEXT,
    ...
};
enum ftmb_metric {
    FTMB_METRIC_NONE,
    FTMB_METRIC_LABEL,
    FTMB_METRIC_TOP,
    FTMB_METRIC_COUNTER,
    FTMB_METRIC_GAUGE,
    ...
};
struct ftmb_field {
    const char *name;
    const char *help;
    enum ftmb_field_type type;
    enum ftmb_metric metric;
    uint32_t offset, size;
    const char *const *names;
    uint64_t unit_ns;
    uint64_t parts;
    ...;
};
struct ftmb_table {
    const char *name;
    const char *help;
    const struct ftmb_field *fields;
    uint32_t row_size;
    bool is_shared;
    ...;
};
enum ftmb_steering { FTMB_STEERING_FLOW, FTMB_STEERING_ANY, ... };
struct ftmb_command {
    const char *name;
    const char *arguments;
    const char *help;
    ...;
};
struct ftmb_element_class {
    const char *name;
    const char *help;
    uint32_t state_version;
    uint32_t config_size;
    const struct ftmb_option *options;
    const char *const *drop_reasons;
    const struct ftmb_table *tables;
    const struct ftmb_command *commands;
    enum ftmb_steering steering;
    bool rewrites;
    int (*check)(const void *config, uint32_t workers, char *error, size_t error_size);
    uint32_t (*steer)(const void *config, uint32_t workers, const uint8_t *frame, uint16_t length,
                      uint8_t port_in, uint32_t hash);
    void (*release_config)(void *config);
    int (*check_command)(const void *config, const char *text, char *error, size_t error_size);
    ...;
};
const struct ftmb_element_class *elements_at(uint32_t index);
const struct ftmb_element_class *element_module_open(const char *path, char *error,
                                                     size_t error_size);

#define FTMB_WORKERS_MAX ...
#define FTMB_PORTS_MAX ...
#define FTMB_PIPELINE_MAX ...
#define FTMB_PATHS_MAX ...
#define FTMB_DROP_REASONS_MAX ...
#define FTMB_FRAME_SIZE_MAX ...
#define FTMB_BURST_MAX ...
#define FTMB_COMMAND_SIZE_MAX ...
#define ARENA_ADDRESS ...
#define PAGES_VERSION ...

struct pipeline {
    uint32_t count;
    ...;
};
int pipeline_add(struct pipeline *pipeline, const struct ftmb_element_class *element, void *config);
struct bpf_insn {
    uint16_t code;
    uint8_t jt;
    uint8_t jf;
    uint32_t k;
};
struct bpf_insn *packet_filter_compile(const char *text, uint32_t *count, char *error,
                                       size_t error_size);
void packet_filter_free(struct bpf_insn *instructions);
int pipeline_add_path(struct pipeline *pipeline, uint32_t ports, const struct bpf_insn *filter,
                      uint32_t filter_count, const uint8_t *stages, uint32_t count);

/* Logs */
struct output_record {
    uint32_t size;
    uint32_t epoch;
    uint64_t number;
    uint32_t input_count;
    uint32_t slot_count;
    uint32_t pal_count;
    uint32_t pals_offset;
    uint32_t vector_count;
    uint32_t dependency_count;
    ...;
};
enum pal_mode { PAL_HAND_OVERS, PAL_EVERY_ACCESS, ... };
enum release_mode { RELEASE_PARALLEL, RELEASE_NONE, RELEASE_CHECKPOINT, ... };
struct output_slot {
    uint16_t length;
    uint8_t port;
    uint32_t stride;
    uint64_t time_ns;
    ...;
};
struct pal {
    uint32_t access;
    uint32_t variable;
    uint64_t ownership_epoch;
    uint64_t previous_count;
    uint32_t previous_owner;
    ...;
};
struct dependency {
    uint64_t record;
    uint32_t worker;
    ...;
};
struct record_expectation {
    uint64_t available;
    uint64_t number;
    uint64_t input_available;
    const uint64_t *vector;
    uint32_t epoch;
    uint32_t worker;
    uint32_t workers;
    uint32_t ports;
    bool is_logged;
    enum pal_mode pals;
};
struct record_outputs {
    uint64_t digest;
    uint32_t count;
};
enum record_fault {
    RECORD_FINE,
    RECORD_BAD_SIZE,
    RECORD_BAD_EPOCH,
    RECORD_BAD_NUMBER,
    RECORD_BAD_INPUT,
    RECORD_BAD_SLOT,
    RECORD_BAD_PAL,
    RECORD_BAD_VECTOR,
    RECORD_FAULTS,
    ...
};
#define OUTPUT_RECORD_HEADER_SIZE ...
#define OUTPUT_RECORD_SIZE_MAX ...
enum record_fault output_record_check(const struct output_record *header, const uint8_t *start,
                                      const struct record_expectation *expected,
                                      struct dependency *dependencies,
                                      struct record_outputs *outputs);
struct cut_queue {
    uint64_t received;
    const uint64_t *changed;
    const uint64_t *vectors;
    uint64_t mask;
};
uint64_t cut_advance(const struct cut_queue *queues, uint32_t workers, uint64_t *cut);
uint32_t steering_hash(const uint8_t *frame, uint16_t length);

/* Ports */
enum port_drop {
    PORT_DROP_TOO_LONG,
    PORT_DROP_FOR_PORT,
    PORT_DROP_UNRESOLVED,
    PORT_DROP_SEND_STUCK,
    PORT_DROP_SEND_SHORT,
    PORT_DROPS,
    ...
};
struct port {
    ...;
};
struct memory_port;
struct memory_port *memory_port_create(uint32_t capacity);
void memory_port_destroy(struct memory_port *port);
struct port *memory_port_base(struct memory_port *port);
int memory_port_push(struct memory_port *port, const uint8_t *bytes, uint16_t length);
uint16_t memory_port_pop(struct memory_port *port, uint8_t *bytes);
struct journal_port;
struct journal_port *journal_port_create(const char *path, uint64_t buffer_size, int *error);
void journal_port_destroy(struct journal_port *port);
struct port *journal_port_base(struct journal_port *port);
int journal_port_fault(const struct journal_port *port);
struct generator_port;
struct generator_port *generator_port_create(uint8_t *frames, uint32_t count, uint16_t length,
                                             uint32_t *samples, uint64_t samples_max);
void generator_port_destroy(struct generator_port *port);
struct port *generator_port_base(struct generator_port *port);
void generator_port_send(struct generator_port *port, uint64_t total, uint64_t interval_ns);
void generator_port_set_lengths(struct generator_port *port, const uint16_t *lengths);
void generator_port_set_window(struct generator_port *port, const struct generator_port *sink,
                               uint64_t window);
uint64_t generator_port_left(const struct generator_port *port);
void generator_port_discard_samples(struct generator_port *port);
uint64_t generator_port_samples(const struct generator_port *port);
uint64_t cycles_now(void);

/* Address resolution */
struct resolution {
    uint32_t gateway;
    uint32_t waiting_count;
    uint64_t given_up;
    ...;
};
struct waiting_frame {
    uint16_t length;
    uint8_t bytes[2048];
    ...;
};
enum resolution_verdict { RESOLUTION_SEND, RESOLUTION_WAIT, RESOLUTION_GIVE_UP, ... };
int resolution_init(struct resolution *resolution, const uint8_t *own_ethernet);
void resolution_release(struct resolution *resolution);
int resolution_add_address(struct resolution *resolution, uint32_t address, uint32_t mask);
int resolution_add_answered(struct resolution *resolution, uint32_t network, uint32_t mask);
bool resolution_receive(struct resolution *resolution, const uint8_t *frame, uint16_t length,
                        uint64_t now_ns, uint8_t *answer);
enum resolution_verdict resolution_prepare(struct resolution *resolution, uint8_t *frame,
                                           uint16_t length, uint64_t now_ns, uint8_t *request,
                                           bool *has_request);
const struct waiting_frame *resolution_next_ready(struct resolution *resolution, uint64_t now_ns);
bool resolution_ask_again(struct resolution *resolution, uint64_t now_ns, uint8_t *request);

/* The logger process */
enum idle_strategy { IDLE_SPIN, IDLE_YIELD, IDLE_SLEEP, ... };
struct logger_settings {
    uint32_t workers;
    uint32_t idle;
    uint64_t input_size, access_size, output_size;
    bool is_logged;
    uint32_t release;
    uint32_t pals;
};
struct process_page;
struct logger_page;
struct peer {
    uint32_t epoch;
    bool is_used;
    struct process_page *page;
    int page_descriptor;
    int output_descriptors[64];
    ...;
};
struct logger {
    int page_descriptor;
    int input_descriptors[64];
    int access_descriptors[64];
    struct peer peers[8];
    int death_event;
    ...;
};
struct logger *logger_create(const struct logger_settings *settings,
                             const struct pipeline *pipeline, int *error);
void logger_destroy(struct logger *logger);
int logger_add_port(struct logger *logger, struct port *port);
int logger_add_peer(struct logger *logger, uint32_t epoch);
void logger_remove_peer(struct logger *logger, int peer);
void logger_start_of(const struct logger *logger, uint32_t worker, uint64_t *record_number,
                     uint64_t *input_position);
void logger_expect_thread(struct logger *logger);
void logger_run(struct logger *logger, int core);
void logger_stop(struct logger *logger);
uint64_t logger_step(struct logger *logger, uint64_t now_ns);
int logger_change_master(struct logger *logger, int peer);
int logger_set_standby(struct logger *logger, int peer);
void logger_watch(struct logger *logger, int peer);
void logger_arm(struct logger *logger, int peer);
struct succession {
    uint64_t detected_ns, live_ns;
    bool has_succeeded;
    uint32_t epoch;
};
bool logger_take_succession(struct logger *logger, struct succession *succession);
void logger_open_ports(struct logger *logger);
void logger_discard_input(struct logger *logger);
bool logger_checkpoint(struct logger *logger, const uint64_t *records);
bool logger_command(struct logger *logger, uint8_t stage, const char *text, uint64_t *sequences);
uint64_t logger_committed(const struct logger *logger, uint32_t worker);
bool logger_master_is_rejected(const struct logger *logger);
uint64_t logger_access_start(const struct logger *logger, uint32_t worker);

/* Counters, as plain numbers */
struct port_counts {
    uint64_t received, received_bytes, sent, sent_bytes, resolution, missed;
    uint64_t drops[8];
};
struct logger_counts {
    uint64_t records, discarded, slots_out_again, slots_out, slots_dropped, pals, dependencies,
        cut_lag_max, access_waits;
    uint64_t rejected[8];
    uint64_t first_output_ns;
    uint64_t busy_cycles, rounds;
    uint32_t epoch;
};
struct queue_counts {
    uint64_t logged, dropped, input_fill, input_size, access_fill, access_size, received, committed,
        released, consumed;
};
struct worker_counts {
    uint64_t heartbeat, replayed, bursts, packets, busy_cycles, pals, digests_compared,
        digests_mismatched, output_waits;
    uint64_t drops[8][32];
    uint64_t worker_drops[2];
};
void counts_of_port(struct port *port, struct port_counts *counts);
void counts_of_logger(const struct logger *logger, struct logger_counts *counts);
void counts_of_queue(const struct logger *logger, uint32_t worker, struct queue_counts *counts);
void counts_of_worker(const struct process_page *page, uint32_t worker,
                      struct worker_counts *counts);
enum process_phase {
    PHASE_LOADING,
    PHASE_REPLAYING,
    PHASE_LIVE,
    PHASE_FENCED,
    PHASE_DIVERGED,
    ...
};
bool pages_is_dead(const struct process_page *page);
uint32_t phase_of_process(const struct process_page *page);
uint64_t heartbeat_of_process(const struct process_page *page, uint32_t worker);
uint64_t replayed_of_process(const struct process_page *page, uint32_t worker);

/* Masters and standbys */
struct process_settings {
    uint32_t epoch;
    uint32_t workers;
    uint64_t arena_address;
    uint64_t arena_part_size;
    uint64_t configuration_digest;
    uint64_t seed;
    bool is_logged;
    uint32_t pals;
};
struct process;
struct logger_page *pages_map_logger(int descriptor, int *error);
struct process_page *pages_map_process(int descriptor, int *error);
struct process *process_create(const struct process_settings *settings,
                               const struct pipeline *pipeline,
                               const struct logger_page *logger_page, struct process_page *page,
                               int *error);
void process_destroy(struct process *process);
int process_attach_logs(struct process *process, uint32_t worker, int input, int access,
                        int output);
void process_set_start(struct process *process, uint32_t worker, uint64_t record_number,
                       uint64_t input_position);
void process_set_access_start(struct process *process, uint32_t worker, uint64_t position);
void process_begin(struct process *process);
int process_start(struct process *process, const int *cores, enum idle_strategy idle);
void process_stop(struct process *process);
void process_hold_workers(struct process *process);
void process_release_workers(struct process *process);
int process_step(struct process *process, uint32_t worker);
uint64_t stepping_logger(struct logger *logger);
uint64_t stepping_process(struct process *process);
uint64_t process_replayed(const struct process *process, uint32_t worker);
uint64_t process_state_digest(const struct process *process);
uint64_t process_state_size(const struct process *process);
int snapshot_begin(struct process *process, int descriptor, uint64_t *pause_ns, uint64_t *records);
int snapshot_begin_in_replay(struct process *process, int descriptor, uint64_t *pause_ns,
                             uint64_t *records);
int snapshot_load(struct process *process, int descriptor);

/* Tables of a copied state */
struct state_copy {
    const uint8_t *bytes;
    uint64_t size;
    const struct pipeline *pipeline;
};
int state_copy_check(const struct state_copy *copy, uint64_t configuration_digest);
uint64_t state_copy_now_ns(const struct state_copy *copy);
uint32_t state_copy_workers(const struct state_copy *copy);
int64_t state_copy_rows(const struct state_copy *copy, uint32_t place, uint32_t table,
                        uint32_t worker, const void **first);
void state_copy_mark_used(const struct state_copy *copy, uint32_t place, uint32_t table,
                          uint32_t worker, const void *first, uint64_t count, uint8_t *used);

/* Crash points */
enum crash_when { CRASH_AT_TRAFFIC, CRASH_AT_FAILOVER, CRASH_AT_SNAPSHOT, ... };
struct crash_point_description {
    const char *name;
    const char *help;
    enum crash_when when;
    bool loses_state;
    int signal;
};
const struct crash_point_description *crash_point_at(uint32_t index);
bool crash_arm(const char *name);
