package dev.ebb.walservice.log;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Runs writers of several generations against a topic under random delays, lost and repeated
 * acknowledgements, repeated appends, zombies and takeovers, while snapshots are taken, the topic
 * is trimmed behind them and what was before expires. A failure names its seed.
 */
class LogSimulationTest {
  private static final int SEEDS = 10_000;
  private static final int STEPS = 250;
  private static final Lsn ORIGIN = new Lsn(1000);

  @Test
  void acknowledgedRecordsStayInTheOneHistoryWhateverHappens() {
    int acknowledged = 0;
    int generations = 0;
    int trims = 0;
    int stops = 0;
    for (long seed = 0; seed < SEEDS; seed++) {
      var world = new World(seed);
      try {
        world.run();
      } catch (RuntimeException | AssertionError e) {
        throw new AssertionError("seed " + seed + " fails: " + e.getMessage(), e);
      }
      acknowledged += world.acknowledged.size();
      trims += world.trims;
      stops += world.stops;
      generations += (int) world.generation;
    }
    // The simulation is worth nothing where nothing gets done in it.
    assertThat(acknowledged).isGreaterThan(SEEDS * 5);
    assertThat(generations).isGreaterThan(SEEDS * 2);
    assertThat(trims).isGreaterThan(SEEDS / 10);
    assertThat(stops).isGreaterThan(SEEDS / 10);
  }

  /** A commit that a primary reported to its client. */
  private record Commit(long generation, Lsn start, byte[] bytes) {}

  private static final class World {
    final Random random;
    final List<LogRecord.Stored> topic = new ArrayList<>();
    final List<Actor> actors = new ArrayList<>();
    final Map<Lsn, Commit> acknowledged = new HashMap<>();
    long generation;
    long nextOffset;
    boolean closed = true;

    /**
     * Of the newest snapshot: a valid record, the record's end from which it is recovered, and its
     * own end. Of a clean stop: its last record, where that begins and where it ends.
     */
    long hint = -1;

    Lsn redo = ORIGIN;
    Lsn floor = ORIGIN;
    boolean clean;

    /** The topic's oldest record. */
    long begin;

    /** What lies before is not in the archive any more. */
    long expired;

    int commits;
    int trims;
    int stops;

    World(long seed) {
      random = new Random(seed);
    }

    void run() {
      for (int step = 0; step < STEPS; step++) {
        if (actors.isEmpty() || random.nextInt(40) == 0) {
          startGeneration();
        } else if (random.nextInt(60) == 0) {
          takeOver();
        } else {
          Actor actor = actors.get(random.nextInt(actors.size()));
          // The newest is scheduled more often, so that things get done.
          (random.nextInt(3) == 0 ? actor : actors.getLast()).step();
        }
        if (random.nextInt(50) == 0) {
          readersSeeEveryCommit();
        }
        if (random.nextInt(30) == 0 && hint > begin) {
          begin = hint;
          trims++;
        }
        if (random.nextInt(60) == 0) {
          expired = begin;
        }
      }
      for (Actor actor : List.copyOf(actors)) {
        for (int i = 0; i < 400 && actor.step(); i++) {}
      }
      readersSeeEveryCommit();
    }

    /** As the compute service does: compare-and-set on the head, then open the log. */
    void startGeneration() {
      generation++;
      var primary = new Primary(generation);
      var opening = Opening.of(redo, floor, clean, closed, hint);
      Lsn needed = opening.neededFrom();
      actors.add(new Actor(this, primary, opening, fold -> lastWholeRecord(fold, needed)));
      closed = false;
    }

    /** Another wal-service takes the newest primary over, or the same one opens its log again. */
    void takeOver() {
      Actor last = actors.getLast();
      if (last.primary.start != null) {
        boolean again = last.writer.provenOffset() >= 0 && random.nextBoolean();
        Opening opening =
            again
                ? last.writer.again()
                : Opening.takeover(last.primary.start, begin > 0 ? begin : -1);
        actors.add(new Actor(this, last.primary, opening, LogFold::end));
      }
    }

    /** Records of the toy format are a length byte and so many bytes of one generation. */
    static Lsn lastWholeRecord(LogFold fold, Lsn from) {
      if (fold.isEmpty()) {
        return from;
      }
      assertThat(fold.base()).isLessThanOrEqualTo(from);
      assertThat(fold.end()).isGreaterThanOrEqualTo(from);
      Lsn at = from;
      var length = new byte[1];
      while (at.isBefore(fold.end())) {
        fold.source().read(at, length, 0, 1);
        Lsn next = at.plus(1 + length[0]);
        if (next.isAfter(fold.end())) {
          break;
        }
        at = next;
      }
      return at;
    }

    void store(LogRecord record) {
      topic.add(new LogRecord.Stored(nextOffset++, record));
    }

    LogFold read(boolean trust, long from, long to) {
      var history = new HeapHistory(ORIGIN);
      LogFold fold = trust ? LogFold.fromValidRecord(history) : LogFold.fromBeginning(history);
      for (LogRecord.Stored stored : topic) {
        if (stored.offset() >= from && stored.offset() < to) {
          fold.accept(stored);
        }
      }
      return fold;
    }

    void readersSeeEveryCommit() {
      LogFold fold = read(false, 0, Long.MAX_VALUE);
      for (Commit commit : acknowledged.values()) {
        var bytes = new byte[commit.bytes.length];
        assertThat(fold.isEmpty()).isFalse();
        assertThat(commit.start.plus(bytes.length))
            .as("an acknowledged commit of generation %s is in the log", commit.generation)
            .isLessThanOrEqualTo(fold.end());
        fold.source().read(commit.start, bytes, 0, bytes.length);
        assertThat(bytes).as("generation %s", commit.generation).isEqualTo(commit.bytes);
      }
      for (long valid : new long[] {hint, begin}) {
        if (valid > 0) {
          LogFold later = read(true, valid, Long.MAX_VALUE);
          assertThat(later.base()).isLessThanOrEqualTo(floor);
          assertThat(later.end()).isEqualTo(fold.end());
          assertThat(later.term()).isEqualTo(fold.term());
        }
      }
    }

    /** A capture begins: notes a valid record, then the redo point. */
    void beginCapture(Actor actor) {
      if (actor.writer.isOpen() && !actor.primary.stopping) {
        actor.primary.capturedHint = actor.writer.provenOffset();
        actor.primary.capturedRedo = actor.primary.end();
      }
    }

    /** A capture ends once all that it has is durable; by compare-and-set at its generation. */
    void endCapture(Primary primary, Lsn durable) {
      Lsn redo = primary.capturedRedo;
      if (redo != null && !durable.isBefore(redo)) {
        primary.capturedRedo = null;
        if (primary.generation == generation) {
          hint = primary.capturedHint;
          this.redo = redo;
          floor = redo;
          clean = false;
        }
      }
    }

    /** A clean stop is captured once its checkpoint record, its last one, is durable. */
    void endStop(Actor actor) {
      Primary primary = actor.primary;
      if (primary.stopping
          && primary.generation == generation
          && !closed
          && !actor.writer.durable().isBefore(primary.end())) {
        hint = actor.writer.provenOffset();
        redo = primary.checkpoint;
        floor = primary.end();
        clean = true;
        closed = true;
        stops++;
      }
    }
  }

  /** A PostgreSQL: makes records from its start on; keeps all of them. */
  private static final class Primary {
    final long generation;
    @Nullable Lsn start;
    long capturedHint;
    @Nullable Lsn capturedRedo;
    boolean stopping;
    Lsn checkpoint = Lsn.INVALID;
    byte[] wal = {};
    final List<Commit> waiting = new ArrayList<>();

    Primary(long generation) {
      this.generation = generation;
    }

    Lsn end() {
      return java.util.Objects.requireNonNull(start).plus(wal.length);
    }

    void insert(World world) {
      var record = new byte[2 + world.random.nextInt(20)];
      Arrays.fill(record, (byte) (generation * 31 + world.commits++));
      record[0] = (byte) (record.length - 1);
      waiting.add(new Commit(generation, end(), record));
      wal = Arrays.copyOf(wal, wal.length + record.length);
      System.arraycopy(record, 0, wal, wal.length - record.length, record.length);
    }

    void confirmed(World world, Lsn durable) {
      for (var it = waiting.iterator(); it.hasNext(); ) {
        Commit commit = it.next();
        if (!commit.start.plus(commit.bytes.length).isAfter(durable)) {
          Commit other = world.acknowledged.put(commit.start, commit);
          assertThat(other).as("two commits acknowledged at %s", commit.start).isNull();
          it.remove();
        }
      }
      world.endCapture(this, durable);
    }
  }

  /** A wal-service's writer for a primary, with the producer and consumer that serve it. */
  private static final class Actor {
    final World world;
    final Primary primary;
    final LogWriter writer;
    final ArrayDeque<Command.Append> unsent = new ArrayDeque<>();
    final ArrayDeque<long[]> unacknowledged = new ArrayDeque<>();
    final long expiredBefore;
    Command.@Nullable Read reading;
    boolean ended;

    Actor(
        World world,
        Primary primary,
        Opening opening,
        java.util.function.Function<LogFold, Lsn> findEnd) {
      this.world = world;
      this.primary = primary;
      this.expiredBefore = world.expired;
      var term = new Term(new Generation(primary.generation), world.random.nextLong());
      writer = new LogWriter(term, opening, trust -> world.read(trust, 0, 0), findEnd);
      execute(writer.open());
    }

    /** Lets one thing happen; false where nothing can. */
    boolean step() {
      if (ended) {
        return false;
      }
      switch (world.random.nextInt(6)) {
        case 0, 1 -> send();
        case 2, 3 -> acknowledge();
        case 4 -> read();
        default -> produce();
      }
      return true;
    }

    void send() {
      Command.Append append = unsent.poll();
      if (append == null) {
        return;
      }
      int fate = world.random.nextInt(200);
      if (fate == 0) {
        execute(writer.appendFailed("it timed out; it may be in the log or not"));
        if (world.random.nextBoolean()) {
          world.store(append.record());
        }
        return;
      }
      unacknowledged.add(new long[] {append.ticket(), world.nextOffset});
      world.store(append.record());
      if (fate == 1) { // the producer repeats it and hears of the later one
        unacknowledged.removeLast();
        unacknowledged.add(new long[] {append.ticket(), world.nextOffset});
        world.store(append.record());
      } else if (fate == 2) { // a repetition that nobody hears of, of all that one request had
        List<LogRecord> request = new ArrayList<>(List.of(append.record()));
        for (int more = world.random.nextInt(3); more > 0 && !unsent.isEmpty(); more--) {
          append = unsent.remove();
          unacknowledged.add(new long[] {append.ticket(), world.nextOffset});
          world.store(append.record());
          request.add(append.record());
        }
        request.forEach(world::store);
      } else if (fate == 3) {
        unacknowledged.getLast()[1] = -1;
      }
    }

    void acknowledge() {
      if (unacknowledged.isEmpty()) {
        return;
      }
      boolean late = unacknowledged.size() > 1 && world.random.nextInt(30) == 0;
      long[] first = unacknowledged.removeFirst();
      if (late && writer.isOpen()) { // acknowledgements that pass one another
        long[] second = unacknowledged.removeFirst();
        unacknowledged.addFirst(first);
        first = second;
      }
      execute(writer.appended(first[0], first[1]));
    }

    void read() {
      Command.Read range = reading;
      if (range == null) {
        return;
      }
      assertThat(range.from()).as("had expired before").isGreaterThanOrEqualTo(expiredBefore);
      if (range.from() < world.expired) { // it was paused for days
        execute(writer.appendFailed("its owner gave up"));
        return;
      }
      boolean breaksOff = world.random.nextInt(20) == 0;
      for (LogRecord.Stored stored : List.copyOf(world.topic)) {
        if (stored.offset() >= range.from() && stored.offset() < range.to()) {
          if (breaksOff && world.random.nextInt(4) == 0) {
            execute(writer.readAgain());
            return;
          }
          writer.read(stored);
        }
      }
      reading = null;
      execute(writer.readEnded());
    }

    void produce() {
      if (!writer.isOpen()) {
        return;
      }
      if (!primary.stopping && world.random.nextBoolean()) {
        primary.checkpoint = primary.end();
        primary.insert(world);
        primary.stopping = world.random.nextInt(30) == 0;
      }
      // WAL arrives cut anywhere.
      int available = (int) primary.end().minus(writer.appendEnd());
      if (available > 0) {
        int from = (int) writer.appendEnd().minus(java.util.Objects.requireNonNull(primary.start));
        int length = 1 + world.random.nextInt(available);
        execute(
            writer.appendWal(
                writer.appendEnd(), Arrays.copyOfRange(primary.wal, from, from + length)));
      }
      if (world.random.nextInt(20) == 0) {
        world.beginCapture(this);
      }
    }

    void execute(List<Command> commands) {
      for (Command command : commands) {
        switch (command) {
          case Command.Append append -> unsent.add(append);
          case Command.Read read -> reading = read;
          case Command.Opened opened -> {
            if (primary.start == null) {
              primary.start = opened.end();
            }
          }
          case Command.Durable durable -> {
            primary.confirmed(world, durable.lsn());
            world.endStop(this);
          }
          case Command.Ended end -> {
            assertThat(end.end()).isNotInstanceOf(Command.Corrupted.class);
            ended = true;
          }
        }
      }
    }
  }
}
