// Goal: a Slurm site keeps the promises of every site.
// Method: the suite of the port over a real Slurm with emulated nodes and cards.
#include "ports/site_backend_conformance.hpp"

#include "adapters/site_slurm/test_cluster.hpp"

namespace weir::ports {

INSTANTIATE_TYPED_TEST_SUITE_P(Slurm, SiteConformance, site_slurm::World);

}  // namespace weir::ports
