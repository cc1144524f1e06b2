"""What happens to a registered model: promotion, comparison, monitoring, recalibration, locks, reproduction."""
