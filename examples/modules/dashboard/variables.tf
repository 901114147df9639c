# What the marketplace shows and charges. None of this is asked of the person who deploys.

variable "module_description" {
  description = "One sentence for the card of this module. {{UIMeta group=0 order=1 }}"
  type        = string
  default     = "Charts and alerts for a web-stack that runs already."
}

variable "module_documentation" {
  description = "Where the module is documented. {{UIMeta group=0 order=2 }}"
  type        = string
  default     = "https://developer.hashicorp.com/terraform/language/meta-arguments/for_each"
}

variable "module_dependency" {
  description = "Modules that must be deployed before this one. {{UIMeta group=0 order=3 }}"
  type        = list(string)
  default     = ["web-stack"]
}

variable "module_services" {
  description = "Services this module sets up. {{UIMeta group=0 order=4 }}"
  type        = list(string)
  default     = ["Dashboard", "Alerts"]
}

variable "credit_cost" {
  description = "Credits that one deployment costs. {{UIMeta group=0 order=5 }}"
  type        = number
  default     = 10
}

variable "require_credit_purchases" {
  description = "Only purchased credits may pay for this module. {{UIMeta group=0 order=6 }}"
  type        = bool
  default     = false
}

variable "enable_purge" {
  description = "Offer Purge for a deployment that is stuck. {{UIMeta group=0 order=7 }}"
  type        = bool
  default     = true
}

variable "public_access" {
  description = "Everybody signed in may deploy this module. {{UIMeta group=0 order=8 }}"
  type        = bool
  default     = true
}

variable "trusted_users" {
  description = "Who may deploy this module while it is not public. {{UIMeta group=0 order=9 }}"
  type        = list(string)
  default     = []
}

variable "deployment_id" {
  description = "Set by the platform: the id of the deployment, part of every name. {{UIMeta group=0 order=10 }}"
  type        = string
  default     = ""
}

# What is asked.

variable "title" {
  description = "Title of the dashboard. {{UIMeta group=1 order=101 updatesafe }}"
  type        = string
  default     = "Service health"

  validation {
    condition     = length(trimspace(var.title)) > 0
    error_message = "Give the dashboard a title."
  }
}

variable "panels" {
  description = "What is drawn. {{UIMeta group=1 order=102 updatesafe }}"
  type        = set(string)
  default     = ["errors", "latency", "requests"]

  validation {
    condition     = length(setsubtract(var.panels, ["errors", "latency", "requests", "saturation"])) == 0
    error_message = "Panels are errors, latency, requests and saturation."
  }
}

variable "refresh" {
  description = "How often it is drawn again. {{UIMeta group=1 order=103 options=10s,30s,1m,5m updatesafe }}"
  type        = string
  default     = "1m"
}

variable "alerts" {
  description = "Send a mail when a threshold is passed. {{UIMeta group=2 order=201 updatesafe }}"
  type        = bool
  default     = false
}

variable "thresholds" {
  description = "Value at which a panel alerts, by panel. {{UIMeta group=2 order=202 dependson=alerts==true updatesafe }}"
  type        = map(number)
  default     = { errors = 0.01, latency = 250 }

  validation {
    condition     = alltrue([for panel, threshold in var.thresholds : threshold > 0])
    error_message = "A threshold is greater than zero."
  }
}

variable "recipients" {
  description = "Who receives alerts. {{UIMeta group=2 order=203 dependson=alerts==true updatesafe }}"
  type        = list(string)
  default     = []
}
