package dev.ebb.computeservice.placement;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.ComputeMessage;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.fleet.FleetView;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a new host learns of the others before it answers requests for branches: who does not know
 * where a branch runs starts it elsewhere, and the primary that runs is fenced.
 */
public final class Introduction {
  private static final Logger log = LoggerFactory.getLogger(Introduction.class);
  private static final long ANSWER_TIMEOUT_MS = 500;
  private static final long ASK_AGAIN_MS = 100;

  /** By then every host that is alive has announced itself. */
  private static final long PATIENCE_MS = FleetView.EXPIRY.toMillis();

  private final BlockingBus bus;
  private final FleetView fleet;
  private final long patienceMs;

  /**
   * Not asked yet.
   *
   * @param fleet hears every announcement already
   */
  public Introduction(BlockingBus bus, FleetView fleet) {
    this(bus, fleet, PATIENCE_MS);
  }

  Introduction(BlockingBus bus, FleetView fleet, long patienceMs) {
    this.bus = bus;
    this.fleet = fleet;
    this.patienceMs = patienceMs;
  }

  /**
   * Asks any host what it knows; returns at once where there is none. One that has just died may be
   * asked in vain: after a while announcements have told as much.
   */
  public void learn() {
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(patienceMs);
    do {
      try {
        bus.call(Addresses.COMPUTE, new ComputeMessage.DescribeHosts(), ANSWER_TIMEOUT_MS)
            .hosts()
            .forEach(fleet::accept);
        return;
      } catch (EbbException e) {
        if (Bus.foundNobody(e)) {
          return;
        }
        log.debug("no host has told yet what runs where", e);
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(ASK_AGAIN_MS));
      }
    } while (System.nanoTime() - deadline < 0);
  }
}
