terraform {
  required_version = ">= 1.4"
}

resource "terraform_data" "panel" {
  for_each = var.panels

  input = { title = "${var.title}: ${each.key}", refresh = var.refresh }
}

resource "terraform_data" "alert" {
  for_each = var.alerts ? var.thresholds : {}

  input = { panel = each.key, above = each.value, recipients = var.recipients }
}

resource "terraform_data" "dashboard" {
  input = {
    id     = "dashboard-${var.deployment_id == "" ? "local" : var.deployment_id}"
    panels = [for panel in terraform_data.panel : panel.output.title]
  }
}
