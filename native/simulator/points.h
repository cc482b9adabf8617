/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The places of the protocol at which the simulator may stop a thread, look, let another one move,
 * or end a process; and the mistakes that it can be told to plant.
 *
 * The protocol's code says POINT(name, a, b) where two threads could see each other, and
 * PLANTED(name) where a rule could be broken. In a normal build both are nothing: no code, no
 * data. Only the simulator is compiled with FTMB_SIMULATION.
 */
#ifndef FTMB_POINTS_H
#define FTMB_POINTS_H

#include <stdbool.h>
#include <stdint.h>

/* X(name, what `a` is, what `b` is) */
#define SIMULATION_POINTS(X)                                                                       \
    X(INPUT_APPENDED, "queue", "sequence")                                                         \
    X(INPUT_DROPPED, "queue", "kind")                                                              \
    X(INPUT_PUBLISHED, "queue", "position")                                                        \
    X(RECEIVED, "worker", "record")                                                                \
    X(REJECTED, "worker", "fault")                                                                 \
    X(CUT_ADVANCED, "records", "lag")                                                              \
    X(ACCESS_APPENDED, "worker", "record")                                                         \
    X(COMMITTED, "worker", "record")                                                               \
    X(RELEASING, "worker", "record")                                                               \
    X(RELEASED, "worker", "record")                                                                \
    X(FREED, "worker", "record")                                                                   \
    X(FENCING, "epoch", "-")                                                                       \
    X(FINISHING, "epoch", "-")                                                                     \
    X(EPOCH_BEGUN, "epoch", "-")                                                                   \
    X(BURST_BEGUN, "worker", "inputs")                                                             \
    X(INPUT_READ, "worker", "position")                                                            \
    X(ACQUIRING, "variable", "access")                                                             \
    X(ACQUIRED, "variable", "access")                                                              \
    X(MERGED, "variable", "previous owner")                                                        \
    X(UNLOCKING, "variable", "record")                                                             \
    X(UNLOCKED, "variable", "record")                                                              \
    X(RECORD_BUILT, "worker", "record")                                                            \
    X(RECORD_WRITTEN, "worker", "record")                                                          \
    X(RECORD_PUBLISHED, "worker", "record")                                                        \
    X(REPLAY_BEGUN, "worker", "record")                                                            \
    X(REPLAY_BUILT, "worker", "record")                                                            \
    X(REPLAYED, "worker", "record")                                                                \
    X(REPLAY_FINISHED, "worker", "record")                                                         \
    X(LIVE, "worker", "record")                                                                    \
    X(STEPPING, "worker", "-")                                                                     \
    X(HOLDING, "worker", "-")                                                                      \
    X(HELD, "workers", "-")                                                                        \
    X(CRASH_POINT, "number", "-")                                                                  \
    X(WAITING, "rounds", "-")                                                                      \
    X(STEPPED, "worker", "progress")                                                               \
    X(ROUND, "moved", "-")                                                                         \
    X(ACTED, "action", "-")

/* X(name, the rule that it breaks) */
#define SIMULATION_MISTAKES(X)                                                                     \
    X(CUT_FROM_RECEIVED, "a record is committed when what it depends on was received (D <= R)")    \
    X(ELIDED_ACCESS_UNSTAMPED, "an access that logs nothing does not stamp the variable")          \
    X(VECTOR_NOT_MERGED, "taking a variable over adds no dependency")                              \
    X(STAMPED_WITH_LAST_RECORD, "a release stamps the record before the one being built")          \
    X(PUBLISHED_BEFORE_WHOLE, "a record is published before its vector is written")                \
    X(RELEASED_BEFORE_COMMIT, "packets leave as soon as their record is received")                 \
    X(RECEIVED_KEPT_AT_FENCE, "records beyond the cut stay received across a failover")            \
    X(RELEASED_KEPT_AT_FENCE,                                                                      \
      "with release \"none\", what left too early counts as released again")                       \
    X(INPUT_KEPT_AT_FENCE, "inputs of discarded records stay consumed across a failover")          \
    X(EPOCH_UNCHECKED_AT_RELEASE, "the old master's log is read on in the new epoch")              \
    X(EPOCH_BEFORE_LAST_CUT, "the new epoch is shown before the last cut of the old one")          \
    X(REPLAY_IGNORES_COUNT, "replay does not wait for the owner's count")                          \
    X(REPLAY_IGNORES_OWNERSHIP_EPOCH, "replay does not compare the ownership epoch")               \
    X(LIVE_BEFORE_ALL_FINISHED, "a worker goes live while another still replays")                  \
    X(COMMAND_NOT_REPLAYED, "a command changes the master's state and not the standby's")          \
    X(TICK_BY_OWN_CLOCK, "ticks come from the worker's clock, not from the log")                   \
    X(TIME_BY_OWN_CLOCK, "a packet's time is the worker's, not the input logger's")                \
    X(RANDOM_OUTSIDE_ARENA, "the random generator's state is not part of the arena")               \
    X(LOG_FREED_EARLY, "the log is freed one record beyond what the standby replayed")             \
    X(LOG_FREED_FOR_SUCCESSOR, "the log is not kept for a successor that still replays")           \
    X(SKIPPED_LOG_KEPT, "a successor that has nothing to replay does not let the log go")          \
    X(OUTPUT_OVERWRITTEN, "a worker writes on although its output log is full")                    \
    X(RECORDS_UNBOUNDED, "a worker writes more records than the output logger has places for")     \
    X(SNAPSHOT_MID_RECORD, "a snapshot is taken while one worker is within a record")              \
    X(LOGS_KEPT_AFTER_SNAPSHOT, "logs are kept for a standby only once its snapshot is written")   \
    X(PROTECTED_BEFORE_CUT, "a standby counts before the cut has reached its snapshot")            \
    X(SENT_NOT_REMEMBERED, "a port that took some of a record is offered all of it again")         \
    X(VARIABLE_UNLOCKED_EARLY, "a variable is unlocked before the element is done with it")        \
    X(CUT_IN_ONE_PASS, "taking back a record does not lead to looking again at the others")        \
    X(SUCCESSOR_LET_GO_BY_ONE, "the log is kept for a successor until one of its workers is done") \
    X(LOG_KEPT_WHILE_FINISHING, "what a standby lets go is not freed while an epoch is finished")  \
    X(ACCESS_OVERWRITTEN, "a record is committed although the access log is full")                 \
    X(INPUTS_MISCOUNTED, "of the inputs that go with a record only one is counted as free")        \
    X(FENCE_UNNOTICED, "a master goes on although it can see that its epoch is over")              \
    X(DIGEST_NOT_COMPARED, "a standby does not compare what it made with the digest")              \
    X(EMITTED_LOST, "packets that an element made itself are not sent")

#ifdef FTMB_SIMULATION

#define X(name, a, b) POINT_##name,
enum simulation_point { SIMULATION_POINTS(X) POINTS };
#undef X
#define X(name, rule) MISTAKE_##name,
enum simulation_mistake { MISTAKE_NONE, SIMULATION_MISTAKES(X) MISTAKES };
#undef X

/* The one that is planted in this run; MISTAKE_NONE otherwise. */
extern enum simulation_mistake simulation_mistake;
/* The running thread is here: another may move before it goes on, and it may never go on. */
void simulation_reach(enum simulation_point point, uint64_t a, uint64_t b);
uint64_t simulation_now_ns(void);

#define POINT(name, a, b) simulation_reach(POINT_##name, (uint64_t)(a), (uint64_t)(b))
#define PLANTED(name) (__builtin_expect(simulation_mistake == MISTAKE_##name, 0))

#else

#define POINT(name, a, b) ((void)0)
#define PLANTED(name) false

#endif
#endif
